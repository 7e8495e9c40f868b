"""Deleting readings that are older than RETENTION_READINGS; what is left of them are figures by the hour.

In the order in which they were stored, some thousands at a time, which are then taken hour by hour of each device, in
short transactions: a reading is deleted in the one that adds it to its figures.
"""

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction

from device_gateway.leading import Lease
from device_gateway.models import DeviceTelemetry, ReadingDecoder, ReadingHour
from device_gateway.readings.figures import Figures, both
from device_gateway.readings.queries import BUCKETS
from ozone.intake.sql import BulkInsert, moment, plain_rows, read_moment, within
from ozone.webapi.paging import fitting
from ozone.wire.conf import options

LEASE: Final = "upkeep"
AHEAD: Final = 2_000
"""Readings that are looked at before the first of them is deleted: so many, that those of one hour come together."""
STEP_SECONDS: Final = 0.005
"""How long one transaction is to take."""
ROWS: Final = (50, 2_000)
"""The fewest and the most to delete in one, where there are so many; of one hour never more than the fewest."""
A_DAY: Final = timedelta(days=1)
ANEW: Final = A_DAY
"""After which it looks again from the oldest on, whether there are any behind the place where it is."""

_keep: Final = BulkInsert(
    ReadingHour,
    ("device_id", "start", "count", "fields"),
    "ON CONFLICT (device_id, start) DO UPDATE SET count = excluded.count, fields = excluded.fields",
)


_decode: Final = ReadingDecoder().decode


@dataclass(slots=True)
class _Hour:
    """Some readings of one device and one hour that are to go: their keys and figures."""

    device: int
    start: datetime
    old: list[int] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)


class Step(NamedTuple):
    deleted: int
    has_more: bool
    """Whether there may be more to do now."""


class Retention:
    """Where it is, what it has found, and how much it takes at once."""

    def __init__(self) -> None:
        self._place = 0
        self._waiting: deque[_Hour] = deque()
        self._is_through = False
        self._rows = ROWS[0]
        self._began: datetime | None = None

    def step(self, now: datetime) -> Step:
        """Looks for old readings, or deletes some that it has found."""
        days = options().RETENTION_READINGS
        if days <= 0:
            return Step(0, has_more=False)
        if not self._waiting:
            self._look(now - timedelta(days=days), now)
            return Step(0, has_more=bool(self._waiting) or not self._is_through)
        some: list[_Hour] = []
        number = 0
        while self._waiting and (not some or number + len(self._waiting[0].old) <= self._rows):
            some.append(self._waiting.popleft())
            number += len(some[-1].old)
        began = time.monotonic()
        if not _replace(some):
            # Another process led meanwhile, or all telemetry was deleted: what was found is not there any more.
            self._waiting.clear()
            self._place, self._is_through = 0, False
            return Step(0, has_more=True)
        self._adapt(time.monotonic() - began)
        return Step(number, has_more=bool(self._waiting) or not self._is_through)

    def _look(self, until: datetime, now: datetime) -> None:
        """Among the readings stored after its place for those that arrived before `until`, as far as the first that did
        not. One that is said to have arrived after `now` came while the clock was wrong, and is passed over."""
        if self._began is None or not timedelta(0) <= now - self._began < ANEW:
            self._began, self._place = now, 0
        rows = DeviceTelemetry.objects.filter(pk__gt=self._place).order_by("pk")
        columns = ("pk", "device_id", "occurred_at", "received_at", "payload")
        hours: dict[tuple[int, datetime], _Hour] = {}
        seen = 0
        # Read at once and understood afterwards: on SQLite nothing that is written meanwhile may leave its log.
        fit = fitting(rows, "payload", AHEAD)
        for pk, device, *times, payload in plain_rows(rows.values_list(*columns)[: fit.number]):
            occurred_at, received_at = map(read_moment, times)
            assert occurred_at is not None and received_at is not None
            if until <= received_at <= now:
                break
            if received_at < until:
                start = BUCKETS["hour"](occurred_at.astimezone(UTC))
                hour = hours.get((device, start))
                if hour is None or len(hour.old) == ROWS[0]:
                    hour = hours[device, start] = _Hour(device, start)
                    self._waiting.append(hour)
                hour.old.append(pk)
                hour.figures.add(_decode(payload), occurred_at)
            self._place, seen = pk, seen + 1
        self._is_through = seen < fit.number or not fit.has_more
        if self._waiting and not _went_on(until, now):
            self._waiting.clear()
            self._place, self._is_through = 0, True

    def _adapt(self, seconds: float) -> None:
        if seconds > STEP_SECONDS:
            self._rows = max(ROWS[0], self._rows // 2)
        elif seconds < STEP_SECONDS / 2:
            self._rows = min(ROWS[1], self._rows * 2)


def _went_on(until: datetime, now: datetime) -> bool:
    """Whether anything arrived between `until` and a day ago. If not, nobody has sent for so long, or rather the clock
    was set ahead and all that there is looks old: there is a day to notice it.

    Keys are in the order of arrival, nearly: the last of those is found by halves.
    """
    rows = DeviceTelemetry.objects.order_by("pk").values_list("pk", "received_at")
    first, last = rows.first(), rows.last()
    newest: datetime | None = None
    if first and last:
        low, high = first[0], last[0] + 1
        while low < high:
            middle = (low + high) // 2
            row = rows.filter(pk__gte=middle).first()
            if row is None or row[1] >= now - A_DAY:
                high = middle
            else:
                low, newest = row[0] + 1, row[1]
    return newest is not None and newest >= until


def _replace(hours: Sequence[_Hour]) -> bool:
    """Deletes the readings, and keeps their figures; False, and nothing is done, where some are gone already."""
    doomed = [pk for hour in hours for pk in hour.old]
    with transaction.atomic():
        # Of two that lead at once, for one of them stood still for longer than its lease, one waits here.
        list(Lease.objects.select_for_update().filter(name=LEASE))
        among, given = within(connection, doomed)
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM device_gateway_devicetelemetry WHERE id {among}", given)
            if cursor.rowcount != len(doomed):
                transaction.set_rollback(True)
                return False
        _keep_figures(hours)
    return True


def _keep_figures(hours: Sequence[_Hour]) -> None:
    """Adds them to what is kept of these hours."""
    devices, starts = {hour.device for hour in hours}, {hour.start for hour in hours}
    there = ReadingHour.objects.filter(device__in=devices, start__in=starts)
    kept = {row[:2]: row[2:] for row in there.values_list("device_id", "start", "count", "fields")}
    rows: dict[tuple[int, datetime], tuple[Any, ...]] = {}
    for hour in hours:
        key = (hour.device, hour.start)
        count, fields = kept.get(key, (0, {}))
        kept[key] = count, fields = count + hour.figures.count, both(fields, hour.figures.as_kept(hour.start))
        rows[key] = (hour.device, moment(connection, hour.start), count, json.dumps(fields))
    _keep.run(connection, list(rows.values()))


retention: Final = Retention()
