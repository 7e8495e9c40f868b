"""When devices were last heard: written by the writer, for all that came together by one statement."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.models import DeviceState
from ozone.intake.sql import BulkInsert, moment, within


def later(column: str, than: str) -> str:
    """SQL for which of two server times of a device is the later one: `t`'s, or else that of the row that comes.

    Two processes may store what they heard in either order. A time more than a minute ahead of what is heard now is of
    a clock that was wrong, and holds nothing back.
    """
    return f"CASE WHEN t.{column} > {than} AND t.{column} <= A_MINUTE_AFTER({than}) THEN t.{column} ELSE {than} END"


_seen: Final = BulkInsert(
    DeviceState,
    ("device_id", "last_seen"),
    f"ON CONFLICT (device_id) DO UPDATE SET last_seen = {later('last_seen', 'excluded.last_seen')}",
)
_polled: Final = BulkInsert(
    DeviceState,
    ("device_id", "last_poll", "seat"),
    f"ON CONFLICT (device_id) DO UPDATE SET last_poll = {later('last_poll', 'excluded.last_poll')},"
    " seat = COALESCE(excluded.seat, t.seat)",
)


def mark_seen(connection: BaseDatabaseWrapper, arrivals: Iterable[tuple[int, datetime]]) -> None:
    """Moves `last_seen` forward, as `later` has it: (device, arrival) pairs, several of a device among them."""
    latest = _latest(arrivals)
    _seen.run(connection, [(device, moment(connection, at)) for device, at in sorted(latest.items())])


def mark_polled(
    connection: BaseDatabaseWrapper, polls: Iterable[tuple[int, datetime]], seats: Mapping[int, int]
) -> None:
    """Moves `last_poll` forward, as above; `seats`: who sits now, by device."""
    latest = _latest(polls)
    _polled.run(
        connection, [(device, moment(connection, at), seats.get(device)) for device, at in sorted(latest.items())]
    )


def seats_of(connection: BaseDatabaseWrapper, devices: Collection[int]) -> dict[int, int | None]:
    """Who sits, by device."""
    among, given = within(connection, devices)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT device_id, seat FROM device_gateway_devicestate WHERE device_id {among}", given)
        return dict(cursor.fetchall())


def _latest(moments: Iterable[tuple[int, datetime]]) -> dict[int, datetime]:
    latest: dict[int, datetime] = {}
    for device, at in moments:
        latest[device] = max(at, latest.get(device, at))
    return latest
