"""Figures of events: totals, by day and by hour of the day."""

from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Func, IntegerField, Max, Min, QuerySet

from ozone.wire.conf import options
from ozone.wire.times import iso_or_none
from telemetry.models import TelemetryEvent
from telemetry.treatments import COUNTERS, TREATMENTS

QUARTER: Final = 900
"""Seconds. Every zone's offset from UTC is a multiple of a quarter of an hour: a quarter is in one local hour."""


class TimeSlot(Func):
    """In which stretch of so many seconds a time is, counted from 1970."""

    output_field = IntegerField()

    def __init__(self, expression: str, *, seconds: int, **more: Any) -> None:
        super().__init__(expression, seconds=seconds, **more)

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        # Cut to seconds first: strftime rounds to milliseconds, which may be in the next one.
        template = "(CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER) / %(seconds)s)"
        return self.as_sql(compiler, connection, template=template, **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(seconds)s)::bigint"
        return self.as_sql(compiler, connection, template=template, **more)


def figures(events: "QuerySet[TelemetryEvent]") -> dict[str, Any]:
    """Sums of the treatments among the events, in one query: `totals`; `by_day` (days that have any, oldest first);
    `by_hour` (24 hours of the day); `first_event`, `last_event`; `busiest_hour` of the day. Days and hours are those of
    STATS_TIME_ZONE in which the treatments occurred.
    """
    zone = ZoneInfo(options().STATS_TIME_ZONE)
    totals = _Tally()
    days: dict[date, _Tally] = {}
    hours = [_Tally() for _ in range(24)]
    first: datetime | None = None
    last: datetime | None = None
    slot = TimeSlot("occurred_at", seconds=QUARTER)
    groups = events.filter(treatment__isnull=False).order_by().values("treatment", quarter=slot)
    for group in groups.annotate(number=Count("pk"), first=Min("occurred_at"), last=Max("occurred_at")):
        local = datetime.fromtimestamp(group["quarter"] * QUARTER, UTC).astimezone(zone)
        for tally in (totals, days.setdefault(local.date(), _Tally()), hours[local.hour]):
            tally.add(str(group["treatment"]), group["number"])
        first = min(first or group["first"], group["first"])
        last = max(last or group["last"], group["last"])
    busiest = max(range(24), key=lambda hour: hours[hour].total)
    return {
        "time_zone": zone.key,
        "totals": totals.as_json(),
        "by_day": [{"date": day.isoformat(), **tally.as_json()} for day, tally in sorted(days.items())],
        "by_hour": [{"hour": hour, **tally.as_json()} for hour, tally in enumerate(hours)],
        "first_event": iso_or_none(first),
        "last_event": iso_or_none(last),
        "busiest_hour": busiest if totals.total else None,
    }


class _Tally:
    def __init__(self) -> None:
        self._counts = dict.fromkeys(TREATMENTS, 0)

    def add(self, treatment: str, number: int) -> None:
        self._counts[treatment] += number

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    def as_json(self) -> dict[str, int]:
        return {**dict(zip(COUNTERS, self._counts.values(), strict=True)), "total": self.total}
