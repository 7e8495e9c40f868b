"""Hourly and daily counts of treatments, kept in the transaction that stores the events.

A row is keyed by the instant at which the local hour or day of STATS_TIME_ZONE begins, so that a zone off the whole
hour has its own hours, and an hour that daylight saving repeats is two.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake.sql import BulkInsert, moment
from ozone.wire.conf import options
from telemetry.models import DailyCount, HourlyCount
from telemetry.treatments import COUNTERS, TREATMENTS


class Attribution(NamedTuple):
    """Whose press it was: 0 for no machine, no outlet."""

    device_id: int
    machine_id: int
    outlet_id: int


_COLUMNS: Final = (*Attribution._fields, "starts_at", *COUNTERS)
_ADD: Final = (
    "ON CONFLICT (device_id, starts_at, machine_id, outlet_id) DO UPDATE SET basic = t.basic + excluded.basic,"
    " standard = t.standard + excluded.standard, premium = t.premium + excluded.premium"
)
_hours: Final = BulkInsert(HourlyCount, _COLUMNS, _ADD)
_days: Final = BulkInsert(DailyCount, _COLUMNS, _ADD)
_MINUTE: Final = 60
"""Seconds: no zone has changed its offset within a minute since 1972."""


class Tally:
    """Presses to add to (or, with a negative number, to take from) the counts."""

    def __init__(self) -> None:
        self._hours: dict[tuple[Attribution, datetime], list[int]] = {}
        self._days: dict[tuple[Attribution, datetime], list[int]] = {}

    def add(self, held: Attribution, treatment: str, occurred_at: datetime, number: int = 1) -> None:
        hour, day = starts(occurred_at)
        place = TREATMENTS.index(treatment)
        self._hours.setdefault((held, hour), [0, 0, 0])[place] += number
        self._days.setdefault((held, day), [0, 0, 0])[place] += number

    def store(self, connection: BaseDatabaseWrapper) -> None:
        """Inside the caller's transaction; in one order always."""
        self.prepare(connection)()

    def prepare(self, connection: BaseDatabaseWrapper) -> Callable[[], None]:
        """What `store` does, with its rows made out now."""
        hours, days = _rows(connection, self._hours), _rows(connection, self._days)

        def store() -> None:
            _hours.run(connection, hours)
            _days.run(connection, days)

        return store


def _rows(
    connection: BaseDatabaseWrapper, counts: Mapping[tuple[Attribution, datetime], list[int]]
) -> list[tuple[Any, ...]]:
    written = {starts_at: moment(connection, starts_at) for _, starts_at in counts}
    return [(*held, written[starts_at], *numbers) for (held, starts_at), numbers in sorted(counts.items())]


def starts(occurred_at: datetime) -> tuple[datetime, datetime]:
    """The instants (UTC) at which the local hour and the local day of STATS_TIME_ZONE began.

    A change of the zone's offset begins an hour, too: where the clock goes on within one, or back into it.
    """
    return _starts(int(occurred_at.timestamp()) // _MINUTE, options().STATS_TIME_ZONE)


@lru_cache(maxsize=16384)
def _starts(minute: int, zone_name: str) -> tuple[datetime, datetime]:
    instant = datetime.fromtimestamp(minute * _MINUTE, UTC)
    local = instant.astimezone(ZoneInfo(zone_name))
    hour = instant - timedelta(minutes=local.minute)
    while hour.astimezone(local.tzinfo).utcoffset() != local.utcoffset():
        hour += timedelta(seconds=_MINUTE)
    # Where midnight itself was skipped this is the instant of the change, the first of that day.
    day = datetime(local.year, local.month, local.day, tzinfo=local.tzinfo).astimezone(UTC)
    return hour, day
