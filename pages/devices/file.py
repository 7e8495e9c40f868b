"""Devices from a CSV file: what its lines say, what is wrong with which, and adding the good ones."""

import csv
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from django.contrib.auth.models import User
from django.db import OperationalError, transaction

from device_gateway.models import Device, DeviceName
from device_gateway.names import normal_mac
from device_gateway.registry.services import check_device, register_device
from device_gateway.versions import RegistryVersion
from ozone.wire.errors import ApiError, Conflict, Invalid
from ozone.wire.words import UNSEEN, is_blank

T = TypeVar("T")

COLUMNS: Final = ("name", "device_id", "mac", "location", "owner", "notes")
IDENTIFYING: Final = ("device_id", "mac", "name")
MAX_BYTES: Final = 1024 * 1024
MAX_LINES: Final = 5_000
SECONDS: Final = 10.0
"""How long one request adds lines; then it is for the person to go on."""
_PLAIN: Final = "name "
"""Before a name that is all a line says; no device_id and no MAC begins so."""
_SPELLINGS: Final = {
    "mac_address": "mac",
    "device": "device_id",
    "id": "device_id",
    "note": "notes",
    "username": "owner",
}


@dataclass
class Line:
    """One device of the file. `problem`: why it cannot be added, "" where it can; `exists`: because it is there;
    `added`: it has been, just now."""

    number: int
    cells: dict[str, str]
    owner: User | None = None
    problem: str = ""
    exists: bool = False
    added: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """What `register_device` takes."""
        given = {name: text for name, text in self.cells.items() if text}
        return given | {"owner": self.owner} if self.owner else given

    @property
    def row(self) -> list[tuple[str, str]]:
        """Column and cell, of all columns."""
        return [(name, self.cells.get(name, "")) for name in COLUMNS]


def read_lines(text: str) -> list[Line]:
    """The lines under the header, each judged as if all good ones before it were added.

    Raises Invalid where it is no table of devices at all.
    """
    lines = list(islice(_lines(text), MAX_LINES + 1))
    if len(lines) > MAX_LINES:
        raise Invalid(f"The file has more than {MAX_LINES:,} lines. Split it.")
    if not lines:
        raise Invalid("The file has no line under its header.")
    _judge(lines)
    return lines


def add(lines: Sequence[Line]) -> None:
    """Adds the lines that have no problem, each in a transaction of its own: devices write beside it.

    Ends early after SECONDS, or where the database does not answer: the rest has no problem, and is not added.
    """
    until = time.monotonic() + SECONDS
    for line in lines:
        if line.problem:
            continue
        if time.monotonic() > until:
            return
        try:
            _add(line)
        except ApiError as error:
            _refuse(line, error)
        except OperationalError:
            return


@transaction.atomic
def _add(line: Line) -> None:
    # Takes a lock: where a file is sent twice at once, the second finds what the first has added.
    RegistryVersion.touch()
    _find_namesakes([line])
    if not line.problem:
        register_device(fields=line.fields)
        line.added = True


def _some(things: Sequence[T], number: int) -> Iterator[Sequence[T]]:
    return (things[at : at + number] for at in range(0, len(things), number))


def _lines(text: str) -> Iterator[Line]:
    first, _, rest = text.partition("\n")
    above = 0
    if first.strip().lower() in ("sep=;", "sep=,"):  # what a spreadsheet writes for itself
        text, above = rest, 1
    delimiter = max(";,\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = _header(next(reader, []))
        before = reader.line_num
        for cells in reader:
            number, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield _line(number + above, names, cells)
    except csv.Error as error:
        raise Invalid(f"Line {reader.line_num + above} cannot be read: {error}.") from None


def _header(cells: Sequence[str]) -> list[str]:
    words = ["_".join(cell.strip().lower().split()) for cell in cells]
    names = [_SPELLINGS.get(word, word) for word in words]
    unknown = [cell.strip() for cell, name in zip(cells, names, strict=True) if name and name not in COLUMNS]
    known = [name for name in names if name in COLUMNS]
    if not set(known) & set(IDENTIFYING):
        raise Invalid("The first line names the columns. Of name, device_id and mac at least one is needed.")
    if unknown:
        raise Invalid(f"Unknown columns: {', '.join(unknown)[:200]}. There are {', '.join(COLUMNS)}.")
    if len(set(known)) < len(known):
        raise Invalid("A column stands twice in the first line.")
    return names


def _line(number: int, names: Sequence[str], cells: Sequence[str]) -> Line:
    line = Line(number, {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name})
    if any(cell.strip() for cell in cells[len(names) :]):
        line.problem = "More cells than columns. Text that holds the separator needs quotes."
    return line


def _judge(lines: Sequence[Line]) -> None:
    owners = _owners(sorted({line.cells.get("owner", "") for line in lines} - {""}))
    taken: dict[str, int] = {}
    for line in lines:
        owner = line.cells.get("owner")
        line.owner = owners.get(owner or "")
        names = _names(line)
        if line.problem:
            continue
        if not names:
            line.problem = "Neither name nor device_id nor MAC."
        elif (name := line.cells.get("name")) and is_blank(name):
            line.problem = f"name: {UNSEEN}"
        elif owner and line.owner is None:
            line.problem = f"No account is called “{owner[:50]}”."
        elif twin := next((taken[name] for name in names if name in taken), None):
            line.problem = f"The same device as in line {twin}."
        else:
            try:
                check_device(Device(**line.fields))
            except Invalid as error:
                _refuse(line, error)
            else:
                taken |= dict.fromkeys(names, line.number)
    _find_names(lines)
    _find_namesakes(lines)


def _owners(names: Sequence[str]) -> dict[str, User]:
    users = User.objects.filter(is_active=True)
    return {user.get_username(): user for some in _some(names, 500) for user in users.filter(username__in=some)}


def _names(line: Line) -> list[str]:
    """What tells the device from others: its device_id and MAC; of one that has neither its name."""
    given = line.cells.get
    mac = given("mac", "")
    if names := [name for name in (given("device_id"), normal_mac(mac) or mac) if name]:
        return names
    return [f"{_PLAIN}{name}"] if (name := given("name")) else []


def _find_names(lines: Sequence[Line]) -> None:
    """Marks the lines of devices that are there."""
    named = {name: line for line in lines if not line.problem for name in _names(line)}
    for some in _some(list(named), 500):
        for row in DeviceName.objects.filter(name__in=some).select_related("device"):
            named[row.name].exists = True
            named[row.name].problem = row.whose


def _find_namesakes(lines: Sequence[Line]) -> None:
    """A line with nothing but a name is added once: such names are no keys, and a file may be sent again."""
    plain = {line.cells["name"]: line for line in lines if not line.problem and _names(line)[0].startswith(_PLAIN)}
    for some in _some(list(plain), 500):
        for name in Device.objects.filter(archived_at=None, name__in=some).values_list("name", flat=True):
            plain[name].exists = True
            plain[name].problem = "A device of this name is there already. A device_id or MAC would tell them apart."


def _refuse(line: Line, error: ApiError) -> None:
    line.exists = isinstance(error, Conflict)
    said = [f"{field}: {' '.join(sentences)}" for field, sentences in (error.errors or {}).items()]
    line.problem = " ".join(said) or error.detail
