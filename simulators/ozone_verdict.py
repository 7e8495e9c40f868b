"""Is every press stored once, does every counter agree, has every command ended? Machines against the server's word."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.ozone_ledger import Withheld
from simulators.ozone_records import Command, Fate, Press

REPEATABLE = ("GET_STATUS", "SYNC_TIME", "UPDATE_SETTINGS")  # may be delivered again
NAMED = 5  # machines, or lines of the ledger, that a sentence names


@dataclass(slots=True)
class Presses:
    """What became of presses: numbers of them."""

    made: int = 0
    stored: int = 0
    lost: int = 0  # acknowledged or accepted, not stored
    duplicated: int = 0  # rows beyond the first of a press
    altered: int = 0  # stored with another treatment, counter or time
    invented: int = 0  # rows that are no press, or one that was discarded
    cleared: int = 0  # dropped by CLEAR_QUEUE
    discarded: int = 0
    accepted: int = 0
    undelivered: int = 0  # still queued at the end

    def __add__(self, other: Presses) -> Presses:
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return Presses(*(one + another for one, another in zip(mine, others, strict=True)))


def compare_presses(presses: Iterable[Press], rows: Iterable[dict[str, Any]]) -> Presses:
    """A machine's presses beside the events that the server shows of it, in any order."""
    stored: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        stored.setdefault(str(row.get("event_id")), []).append(row)
    found = Presses()
    for press in presses:
        copies = stored.pop(press.event_id, [])
        found.made += 1
        found.cleared += press.fate is Fate.CLEARED and not copies and not press.ruling
        found.undelivered += press.fate is Fate.QUEUED
        found.discarded += press.ruling == "discarded"
        found.accepted += press.ruling == "accepted"
        if press.ruling == "discarded":
            found.invented += len(copies)
            continue
        found.stored += bool(copies)
        found.duplicated += max(0, len(copies) - 1)
        found.altered += any(not _tells(row, press) for row in copies)
        found.lost += not copies and (press.fate is Fate.ACKNOWLEDGED or press.ruling == "accepted")
    found.invented += sum(map(len, stored.values()))
    return found


def _tells(row: dict[str, Any], press: Press) -> bool:
    """Whether a stored event says what the machine said: the time as told, however late it came."""
    try:
        occurred_at = datetime.fromisoformat(row["occurred_at"])
    except (KeyError, TypeError, ValueError):
        return False
    told = (press.treatment, press.counter, press.told, press.body["ts"])
    said = (row.get("treatment"), row.get("counter"), occurred_at, row.get("device_timestamp"))
    # The clock of one that was withheld may have seemed to fall back.
    return said == told and (press.was_withheld or row.get("clock_suspect") == press.blind)


def outcomes_possible(kind: str, command: Command | None) -> set[str]:
    """The states in which the server may rightly show a command at the end, by what its machine did with it."""
    regular = "failed" if kind == "UPDATE_FIRMWARE" else "executed"
    if command is not None and command.reported is not None:
        return {regular}
    if kind == "REBOOT_DEVICE":  # cannot be reported: the next poll proves it, if the delivery was not lost
        return {"executed", "timeout"}
    return {"timeout"} if command is None else {regular, "timeout"}


@dataclass(slots=True)
class Commands:
    """What became of commands: numbers of them."""

    created: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)  # state at the server → commands
    wrong: int = 0  # not in a state that their machine's account allows
    repeated: int = 0  # delivered again, though of a type that must not be
    unended: int = 0  # pending or sent

    def __add__(self, other: Commands) -> Commands:
        return Commands(
            self.created + other.created,
            dict(Counter(self.outcomes) + Counter(other.outcomes)),
            self.wrong + other.wrong,
            self.repeated + other.repeated,
            self.unended + other.unended,
        )


def compare_commands(
    created: dict[str, str], remembered: dict[str, Command], outcomes: dict[str, str], unended: int
) -> Commands:
    """One machine's commands: as the operator made them (id → type), as the machine remembers them, as shown.

    `outcomes` may miss old ones: the server shows the newest ten.
    """
    found = Commands(len(created), dict(Counter(outcomes.values())), unended=unended)
    for command_id, kind in created.items():
        state = outcomes.get(command_id)
        if state is None:
            found.wrong += len(outcomes) < 10
        elif state not in ("pending", "sent"):
            found.wrong += state not in outcomes_possible(kind, remembered.get(command_id))
    found.repeated = sum(command.deliveries > 1 and command.kind not in REPEATABLE for command in remembered.values())
    return found


@dataclass(frozen=True, slots=True)
class OzoneVerdict:
    """The outcome of a run, as `--json` writes it. Machines are called by their names at the server."""

    devices: int
    hostile: bool
    time_scale: float
    seconds: float  # of pressing
    drain_seconds: float  # until every queue was empty and every command had ended
    presses: Presses
    commands: Commands
    stuck: list[str]  # an event in the queue, no token, or no good poll since the network became honest
    wrong_counters: list[str]  # at the end, after one press more with all counters
    lagging_counters: list[str]  # before it, of machines to which nothing had happened that could excuse it
    quarantined: int
    quarantine_open: int  # of them, neither discarded nor accepted
    statuses: dict[str, int]  # "poll 401" → replies; "unseen …": nobody read them
    unanswered: dict[str, int]  # kind of request → tries without a reply
    complaints: dict[str, int]  # what no machine that behaves should be told → how often
    restarts: int
    outages: int
    p50_ms: float | None  # of acknowledged events
    p99_ms: float | None
    withheld: Withheld = field(default_factory=Withheld)

    def count(self, status: int) -> int:
        """Replies with that status, seen or not."""
        return sum(count for key, count in self.statuses.items() if key.endswith(f" {status}"))

    @property
    def failures(self) -> list[str]:
        """Why the run did not pass, a sentence each; empty when it did."""
        counts = {
            "Presses acknowledged but not stored": self.presses.lost,
            "Stored events beyond the first of a press": self.presses.duplicated,
            "Presses stored with another treatment, counter or time than told": self.presses.altered,
            "Stored events that nobody pressed, or that were discarded": self.presses.invented,
            "Commands that never ended": self.commands.unended,
            "Commands shown in a state that the machine's account does not allow": self.commands.wrong,
            "Commands delivered again that must not be": self.commands.repeated,
            "Refused events that nobody could let go": self.quarantine_open,
        }
        said = [f"{words}: {count:,}." for words, count in counts.items() if count]
        named: dict[str, Sequence[object]] = {
            "Withheld presses without a line in the ledger": self.withheld.unnamed,
            "Lines of the ledger that stay open though their presses have come": self.withheld.unclosed,
            "Lines of the ledger that are not true": self.withheld.untrue,
            "Machines that are stuck": self.stuck,
            "Machines whose counters are shown wrongly": self.wrong_counters,
            "Machines whose counters were wrong before their last press": self.lagging_counters,
        }
        said += [
            f"{words}: {len(some):,} ({', '.join(map(str, some[:NAMED]))})." for words, some in named.items() if some
        ]
        said += [f"{count:,} × {words}" for words, count in self.complaints.items()]
        if not self.presses.stored:
            said.append("No press was stored.")
        return said

    def as_json(self) -> dict[str, object]:
        """All fields, with `passed` and `failures`."""
        return {"passed": not self.failures, "failures": self.failures} | dataclasses.asdict(self)
