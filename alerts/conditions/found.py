"""What a condition finds, and by what it is told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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


class Moment(NamedTuple):
    """`counting_from`: before it nobody listened, or by another clock."""

    now: datetime
    counting_from: datetime


class Condition(NamedTuple):
    """One row of the table.

    `says(facts, since)`: what happened, since when, what is usual; `advice`: what to do. `find`: all of which it is
    true now, by index; None: it is found by a look at each device (`alerts.conditions.silence`). `is_passing`: it has
    no end of its own (a command has failed for ever): each subject is told once, and the incident ends with its
    acknowledgement or when it is found no more. `default`: its threshold, in words.
    """

    kind: str
    family: str
    label: str
    subject: str
    says: Callable[[Facts, datetime], str]
    advice: str
    default: str
    find: Callable[[Moment], Sequence[Found]] | None = None
    is_passing: bool = False
    for_staff: bool = False
    """Owners of devices do not see it."""


def clock(moment: datetime) -> str:
    """A time for people, by the clock of the pages."""
    return moment.astimezone(people_zone()).strftime("%Y-%m-%d %H:%M")


def number(facts: Facts, name: str) -> str:
    """A count among the facts, for people."""
    return f"{int(facts.get(name) or 0):,}"
