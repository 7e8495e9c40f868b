"""A move under way: where from, what it has come to, and which row of the source is which row here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from moving.generations import Generation
from moving.models import MovedRow
from moving.report import Report, Table
from moving.sources import Source


@dataclass
class MovedDevice:
    """A device of the source: its row here, and since when it is there (its oldest row in the source)."""

    pk: int
    registered_at: datetime
    name: str
    newest: datetime | None = None
    """The latest believable time that its events have told so far."""
    newest_reading: datetime | None = None
    """When the latest of its readings happened so far."""


@dataclass
class Move:
    source: Source
    generation: Generation
    report: Report
    zone: ZoneInfo
    """Whose local times the source tells."""
    now: datetime
    since: datetime | None = None
    """Events and readings before are left out."""
    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    """Table -> key in the source -> key here."""
    devices: dict[str, MovedDevice] = field(default_factory=dict)
    """By device_id in the source, and by key as `#<key>`."""
    hashes: set[str] = field(default_factory=set)
    """Hashes of the tokens that this run has brought."""
    _invented: int = 0

    @property
    def is_dry(self) -> bool:
        return self.report.is_dry

    def remembered(self) -> None:
        """What earlier runs have moved."""
        rows = MovedRow.objects.filter(generation=self.generation.name).values_list("table", "old", "new")
        for table, old, new in rows.iterator():
            self.ids.setdefault(table, {})[old] = new

    def known(self, table: str, old: object) -> int | None:
        return self.ids.get(table, {}).get(str(old))

    def remember(self, table: str, old: object, new: int) -> None:
        """Inside the transaction that made the row."""
        self.ids.setdefault(table, {})[str(old)] = new
        if not self.is_dry:
            MovedRow.objects.get_or_create(
                generation=self.generation.name, table=table, old=str(old)[:64], defaults={"new": new}
            )

    def invented(self) -> int:
        """A key for what a dry run would have made."""
        self._invented -= 1
        return self._invented

    def device(self, named: object) -> MovedDevice | None:
        """By what a row of the source names it: its device_id, or its key. A number is a key: a name is text there."""
        name, key = str(named), f"#{named}"
        first, second = (key, name) if isinstance(named, int) else (name, key)
        return self.devices.get(first) or self.devices.get(second)

    def key_of(self, table: str) -> str:
        return self.source.keys[table]

    def all_devices(self) -> Iterator[MovedDevice]:
        return iter({id(device): device for device in self.devices.values()}.values())

    def table(self, name: str) -> Table:
        return self.report.table(name)
