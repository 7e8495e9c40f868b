"""When devices were last heard: written by the writer, for all that came together by one statement."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.models import DeviceState
from ozone.intake.sql import BulkInsert, moment


def later(column: str, than: str) -> str:
    """SQL for which of two server times of a device is the later one: `t`'s, or else that of the row that comes.

    Two processes may store what they heard in either order. A time more than a minute ahead of what is heard now is of
    a clock that was wrong, and holds nothing back.
    """
    return f"CASE WHEN t.{column} > {than} AND t.{column} <= A_MINUTE_AFTER({than}) THEN t.{column} ELSE {than} END"


def _later(column: str) -> BulkInsert:
    return BulkInsert(
        DeviceState,
        ("device_id", column),
        f"ON CONFLICT (device_id) DO UPDATE SET {column} = {later(column, f'excluded.{column}')}",
    )


_seen: Final = _later("last_seen")
_polled: Final = _later("last_poll")


def mark_seen(connection: BaseDatabaseWrapper, arrivals: Iterable[tuple[int, datetime]]) -> None:
    """Moves `last_seen` forward, as `later` has it: (device, arrival) pairs, several of a device among them."""
    _mark(connection, _seen, arrivals)


def mark_polled(connection: BaseDatabaseWrapper, polls: Iterable[tuple[int, datetime]]) -> None:
    """Moves `last_poll` forward, as above."""
    _mark(connection, _polled, polls)


def _mark(connection: BaseDatabaseWrapper, statement: BulkInsert, moments: Iterable[tuple[int, datetime]]) -> None:
    latest: dict[int, datetime] = {}
    for device, at in moments:
        latest[device] = max(at, latest.get(device, at))
    statement.run(connection, [(device, moment(connection, at)) for device, at in sorted(latest.items())])
