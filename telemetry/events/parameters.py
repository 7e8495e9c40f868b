"""What readers of events ask for."""

from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from django.utils import timezone

from ozone.webapi.parameters import (
    BIGGEST,
    EPOCH,
    MAX_DAYS,
    Bom,
    Choice,
    Cursor,
    Flag,
    Instant,
    QueryString,
    Text,
    Whole,
    given,
)
from ozone.wire.errors import Invalid
from ozone.wire.times import AHEAD
from telemetry.models import Treatment

DEFAULT_DAYS = 7
EXPORT_DAYS = 30
DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000


class Span(NamedTuple):
    """Which events: received since, or occurred from start to end (both inclusive)."""

    received_since: datetime | None
    start: datetime | None
    end: datetime | None

    @property
    def arrived_since(self) -> datetime | None:
        """The earliest arrival that any of them can have: it lets the index of arrivals help."""
        if self.received_since is not None or self.start is None:
            return self.received_since
        # No event is dated later than AHEAD after its arrival: what occurs from `start` on arrives after this.
        return max(self.start, EPOCH) - AHEAD


class EventsQuery(QueryString):
    """`days` counts by arrival; `start` and `end` go by occurrence and switch the default of `days` off."""

    default_days: ClassVar[int] = DEFAULT_DAYS

    device_id = Text("Any name of the device, or its integer id")
    start = Instant("ISO 8601, inclusive, by occurred_at; a date is its whole day")
    end = Instant("ISO 8601, inclusive, by occurred_at; a date is its whole day", is_end=True)
    days = Whole(1, MAX_DAYS, says="By arrival; 7 unless start or end is given")

    def check(self) -> None:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise Invalid.named("end", "Not before start.")

    @property
    def within(self) -> Span:
        days = self.days
        if days is None and not (self.start or self.end):
            days = self.default_days
        return Span(None if days is None else timezone.now() - timedelta(days=days), self.start, self.end)


class NarrowedQuery(EventsQuery):
    treatment = Choice(list(Treatment.values))
    machine_id = Whole(1, BIGGEST)
    outlet_id = Whole(1, BIGGEST)
    exclude_status = Flag(says="Leaves status messages out; false unless told")

    @property
    def places(self) -> dict[str, int]:
        """The machine and outlet, as conditions."""
        return given({"machine_id": self.machine_id, "outlet_id": self.outlet_id})


class EventPageQuery(NarrowedQuery):
    before = Cursor("From the Link header: what arrived before that place")
    limit = Whole(1, MAX_LIMIT, default=DEFAULT_LIMIT, says="1 to 10,000; 1,000 unless told")


class ExportQuery(NarrowedQuery):
    default_days = EXPORT_DAYS

    days = Whole(1, MAX_DAYS, says="By arrival; 30 unless start or end is given")
    bom = Bom()
