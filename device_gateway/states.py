"""When devices were last heard and what they last said: written by the writer, for all that came together by one
statement, which is the last but for who may enter (ozone.intake.last)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest

from device_gateway.models import DeviceState
from ozone.intake.last import last_writes
from ozone.intake.sql import BulkInsert, moment, select, within


class Latest(NamedTuple):
    """A reading that may be its device's latest; `payload` is JSON."""

    occurred_at: datetime
    received_at: datetime
    payload: str


@dataclass(slots=True)
class Told:
    """What one message, or one transaction, says of a device's state; nothing of what is None or 0."""

    device: int
    seen_at: datetime | None = None
    polled_at: datetime | None = None
    seat: int | None = None
    latest: Latest | None = None
    reused: int = 0
    reused_at: datetime | None = None
    refused: int = 0
    refused_at: datetime | None = None
    refused_code: str = ""
    refused_detail: str = ""

    def add(self, later: "Told") -> None:
        """What was told after it."""
        self.seen_at = later_of(self.seen_at, later.seen_at)
        self.polled_at = later_of(self.polled_at, later.polled_at)
        self.seat = self.seat if later.seat is None else later.seat
        if later.latest is not None and (self.latest is None or later.latest.occurred_at >= self.latest.occurred_at):
            self.latest = later.latest
        self.reused += later.reused
        self.reused_at = later_of(self.reused_at, later.reused_at)
        if later.refused:
            self.refused += later.refused
            self.refused_at = later.refused_at
            self.refused_code, self.refused_detail = later.refused_code, later.refused_detail

    def row(self, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
        """The columns of `_CHANGES`, with the device before them."""
        happened, received, payload = self.latest or (None, None, None)
        return (
            self.device,
            moment(connection, self.seen_at),
            moment(connection, self.polled_at),
            self.seat,
            moment(connection, happened),
            moment(connection, received),
            payload,
            self.reused,
            moment(connection, self.reused_at),
            self.refused,
            moment(connection, self.refused_at),
            self.refused_code,
            self.refused_detail,
        )


def later_of(one: datetime | None, other: datetime | None) -> datetime | None:
    """Of a device's last poll and message: when it was last heard from, whatever it said; None: never."""
    return other if one is None else one if other is None else max(one, other)


def last_heard(device: str = "") -> Greatest:
    """The later of poll and message in a query. `device` leads from the row to its device, as `device__`."""
    poll, seen = f"{device}state__last_poll", f"{device}state__last_seen"
    return Greatest(Coalesce(poll, seen), Coalesce(seen, poll))  # null on SQLite where either is


def since_newest(number: int) -> datetime | None:
    """Since when so many devices were heard, or more; None where there are not so many that polled, or that were only
    seen. By the indexes of the states."""
    found: list[Any] = [
        _heard_by(column, never).order_by(f"-{column}").values_list(column, flat=True)[number - 1 : number]
        for column, never in (("last_poll", False), ("last_seen", True), ("last_seen", False))
    ]
    return max((at for some in found for at in some), default=None)


def since_oldest(number: int) -> datetime | None:
    """Since when so many of the devices that were ever heard were not heard again, or more; None as above."""
    seen: list[Any] = list(
        _heard_by("last_seen", True).order_by("last_seen").values_list("last_seen", flat=True)[:number]
    )
    polled = _heard_by("last_poll", False).order_by("last_poll").values_list("last_poll", "last_seen")[:number]
    last = [max(at for at in pair if at is not None) for pair in polled]
    found = min((max(some) for some in (seen, last) if len(some) == number), default=None)
    return None if found is None else found + timedelta.resolution


def _heard_by(column: str, never_polled: bool) -> "QuerySet[DeviceState]":
    return DeviceState.objects.filter(**{"last_poll__isnull": never_polled, f"{column}__isnull": False})


_POLL: Final = "state__last_poll"
_SEEN: Final = "state__last_seen"
EVER_HEARD: Final = Q(**{f"{_POLL}__isnull": False}) | Q(**{_POLL: None, f"{_SEEN}__isnull": False})
"""The condition on a device."""


def never_heard() -> Q:
    """The condition that it was not, by an index: of an outer join that finds nothing PostgreSQL expects one row."""
    return Q(pk__in=DeviceState.objects.filter(last_poll=None, last_seen=None).values("device"))


def heard_since(at: datetime) -> Q:
    """The condition that a device was heard then or later: in three parts, as the indexes are."""
    seen = Q(**{f"{_SEEN}__gte": at})
    return Q(**{f"{_POLL}__gte": at}) | (Q(**{_POLL: None}) & seen) | (Q(**{f"{_POLL}__isnull": False}) & seen)


def heard_before(at: datetime) -> Q:
    """The condition that it was heard, and last before then."""
    seen = Q(**{f"{_SEEN}__lt": at})
    return Q(**{f"{_POLL}__lt": at}) & (seen | Q(**{_SEEN: None})) | (Q(**{_POLL: None}) & seen)


def newest_heard(until: datetime) -> datetime | None:
    """When any device at all was heard last, not after `until`: by the indexes of the states, which are partial."""
    states = DeviceState.objects.all()
    polled = states.filter(last_poll__lte=until).aggregate(at=Max("last_poll"))
    seen, seen_too = (
        states.filter(last_seen__lte=until, last_poll__isnull=never).aggregate(at=Max("last_seen"))
        for never in (True, False)
    )
    return later_of(polled["at"], later_of(seen["at"], seen_too["at"]))


def _moved_on(column: str) -> str:
    """SQL that moves a server's time forward, where one is told.

    Two processes may store what they heard in either order. A time more than a minute ahead of what is heard now is of
    a clock that was wrong, and holds nothing back.
    """
    told = f"excluded.{column}"
    stays = f"{told} IS NULL OR (t.{column} > {told} AND t.{column} <= A_MINUTE_AFTER({told}))"
    return f"{column} = CASE WHEN {stays} THEN t.{column} ELSE {told} END"


_POLLED: Final = ("last_poll", "seat")
_LATEST: Final = ("latest_occurred_at", "latest_received_at", "latest_payload")
_REUSED: Final = ("reused_ids", "reused_at")
_REFUSED: Final = ("refused_readings", "refused_at", "refused_code", "refused_detail")
# Equal times: the row stored later has the greater id. The last: it came while the server's clock was ahead.
_NEWER: Final = (
    "t.latest_occurred_at IS NULL OR excluded.latest_occurred_at >= t.latest_occurred_at"
    " OR (excluded.latest_occurred_at IS NOT NULL AND t.latest_received_at > A_MINUTE_AFTER(excluded.last_seen))"
)
_CHANGES: Final = {
    "last_seen": _moved_on("last_seen"),
    "last_poll": _moved_on("last_poll"),
    "seat": "seat = COALESCE(excluded.seat, t.seat)",
    **{column: f"{column} = CASE WHEN {_NEWER} THEN excluded.{column} ELSE t.{column} END" for column in _LATEST},
    "reused_ids": "reused_ids = t.reused_ids + excluded.reused_ids",
    "reused_at": "reused_at = COALESCE(excluded.reused_at, t.reused_at)",
    "refused_readings": "refused_readings = t.refused_readings + excluded.refused_readings",
    **{
        column: f"{column} = CASE WHEN excluded.refused_at IS NULL THEN t.{column} ELSE excluded.{column} END"
        for column in _REFUSED[1:]
    },
}


@cache
def _upsert(polled: bool, latest: bool, reused: bool, refused: bool) -> tuple[BulkInsert, Callable[..., Any]]:
    """With the columns that are told, and what takes them out of a row: most of what the statement costs is columns."""
    told = {"last_seen"}
    for is_told, columns in zip((polled, latest, reused, refused), (_POLLED, _LATEST, _REUSED, _REFUSED), strict=True):
        told.update(columns if is_told else ())
    changes = {column: change for column, change in _CHANGES.items() if column in told}
    conflict = f"ON CONFLICT (device_id) DO UPDATE SET {', '.join(changes.values())}"
    places = [0, *(place for place, column in enumerate(_CHANGES, 1) if column in told)]
    return BulkInsert(DeviceState, ("device_id", *changes), conflict), itemgetter(*places)


def tell(connection: BaseDatabaseWrapper, told: Iterable[Told]) -> None:
    """Has the states written at the end of the transaction, of several for a device in their order."""
    last_writes.add(connection, store_states, list(told))


def store_states(connection: BaseDatabaseWrapper, some: Iterable[Told]) -> None:
    by_device: dict[int, Told] = {}
    for told in some:
        first = by_device.setdefault(told.device, told)
        if first is not told:
            first.add(told)
    all_told = [by_device[device] for device in sorted(by_device)]
    upsert, columns = _upsert(
        polled=any(told.polled_at is not None for told in all_told),
        latest=any(told.latest is not None for told in all_told),
        reused=any(told.reused for told in all_told),
        refused=any(told.refused for told in all_told),
    )
    upsert.run(connection, [columns(told.row(connection)) for told in all_told])


def mark_seen(connection: BaseDatabaseWrapper, arrivals: Iterable[tuple[int, datetime]]) -> None:
    """Moves `last_seen` forward: (device, arrival) pairs, several of a device among them."""
    tell(connection, [Told(device, seen_at=at) for device, at in arrivals])


def mark_polled(
    connection: BaseDatabaseWrapper, polls: Iterable[tuple[int, datetime]], seats: Mapping[int, int]
) -> None:
    """Moves `last_poll` forward, as above; `seats`: who sits now, by device."""
    tell(connection, [Told(device, polled_at=at, seat=seats.get(device)) for device, at in polls])


def seats_of(connection: BaseDatabaseWrapper, devices: Collection[int]) -> dict[int, int | None]:
    """Who sits, by device."""
    among, given = within(connection, devices)
    return dict(
        select(connection, f"SELECT device_id, seat FROM device_gateway_devicestate WHERE device_id {among}", given)
    )


def register_store() -> None:
    last_writes.register(store_states)
