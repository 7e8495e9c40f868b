"""What a condition finds, and by what it is told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from device_gateway.states import later_of
from ozone.wire.times import people_zone

Facts = Mapping[str, Any]


class Found(NamedTuple):
    """A condition is true of a subject."""

    kind: str
    subject_key: str
    subject: str
    since: datetime
    facts: Facts
    device_id: int | None = None
    machine_id: int | None = None
    outlet_id: int | None = None
    station_id: int | None = None
    cause: str = ""
    is_new: bool = True
    """False: whether it is true cannot be known now. An incident that is open stays so, and none is opened."""


class Watched(NamedTuple):
    """A device that is looked at, and what is to be known of it."""

    device: int
    device_id: str
    name: str
    is_waited_for: bool
    is_spare: bool
    """A machine held it once, and none does now."""
    last_poll: datetime | None
    last_seen: datetime | None
    usual_seconds: int | None
    learnt_at: datetime | None
    machine: int | None
    machine_name: str | None
    outlet: int | None
    outlet_name: str | None
    hours: str | None

    @property
    def heard(self) -> datetime | None:
        return later_of(self.last_poll, self.last_seen)

    @property
    def last(self) -> datetime:
        """Of one that was heard."""
        heard = self.heard
        assert heard is not None
        return heard

    @property
    def usual(self) -> timedelta:
        return timedelta(seconds=self.usual_seconds or 0)

    @property
    def subject(self) -> str:
        """`CH1/027/2024 at Chai Chee`, or the device's own name."""
        name = self.machine_name or self.name or self.device_id
        return f"{name} at {self.outlet_name}" if self.outlet_name else name

    def found(self, kind: str, since: datetime, facts: Facts, *, is_new: bool = True) -> Found:
        key = f"device:{self.device}"
        return Found(kind, key, self.subject, since, facts, self.device, self.machine, self.outlet, is_new=is_new)


class Moment(NamedTuple):
    """`counting_from`: before it nobody listened, or by another clock."""

    now: datetime
    counting_from: datetime


class Condition(NamedTuple):
    """One row of the table.

    `says(facts, since)`: what happened, since when, what is usual; `advice`: what to do. `find`: all of which it is
    true now, by index; `sweep`: those of some devices; with neither it is found by the time at which each device could
    be silent for too long (`alerts.conditions.silence`).
    """

    kind: str
    label: str
    says: Callable[[Facts, datetime], str]
    advice: str
    find: Callable[[Moment], Sequence[Found]] | None = None
    sweep: Callable[[Sequence[Watched], Moment], Sequence[Found]] | None = None
    at_once: int = 500
    """Devices of one sweep: each takes less than a tenth of a second."""
    lasting: timedelta = timedelta(0)
    """For how long it must have been found before anybody is told; of `find` only."""
    is_passing: bool = False
    """It has no end of its own (a command has failed for ever): each subject is told once, and the incident ends with
    its acknowledgement, or when it is found no more."""
    for_staff: bool = False
    """Owners of devices do not see it."""


def clock(moment: datetime) -> str:
    """A time for people, by the clock of the pages."""
    return moment.astimezone(people_zone()).strftime("%Y-%m-%d %H:%M")


def counted(facts: Facts, name: str) -> str:
    """A count among the facts, for people."""
    return f"{int(facts.get(name) or 0):,}"
