"""Statistics for operators: series and key figures, what may be chosen, and the series as CSV."""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.webapi.parameters import (
    BIGGEST,
    MAX_DAYS,
    Bom,
    Choice,
    Flag,
    Instant,
    Parameter,
    Query,
    QueryString,
    Text,
    Whole,
)
from ozone.webapi.serializers import Problem
from ozone.webapi.sheets import CSV, sheet
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.conf import options
from ozone.wire.times import parse_query
from telemetry.figures.buckets import GRANULARITIES, MAX_BUCKETS
from telemetry.figures.statistics import MOST_OPTIONS, YEARS, Filters, statistics, statistics_options
from telemetry.finding import asked as looked_for

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
COLUMNS: Final = ("basic", "standard", "premium", "total")


class SeriesReply(serializers.Serializer[Any]):
    basic = serializers.ListField(child=serializers.FloatField())
    standard = serializers.ListField(child=serializers.FloatField())
    premium = serializers.ListField(child=serializers.FloatField())
    total = serializers.ListField(child=serializers.FloatField())


class KeyFigures(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    avg = serializers.FloatField(help_text="Of a bucket")
    min = serializers.IntegerField()
    max = serializers.IntegerField()
    prev_total = serializers.IntegerField(help_text="Of as many buckets just before; with until_now as far as now")
    delta_pct = serializers.FloatField(allow_null=True, help_text="null when prev_total is 0")


class StatsReply(serializers.Serializer[Any]):
    labels = serializers.ListField(child=serializers.CharField(), help_text="One for each bucket, with no gaps")
    series = SeriesReply()
    prev_series = SeriesReply(allow_null=True)
    kpi = KeyFigures(help_text="Of the plain series, whatever cumulative and ma say")


class Option(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    archived = serializers.BooleanField(required=False, help_text="True where it is; else it is not there.")


class OutletOption(Option):
    name = serializers.CharField()


class MachineOption(OutletOption):
    outlet_id = serializers.IntegerField(allow_null=True)


class DeviceOption(Option):
    device_id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    machine_id = serializers.IntegerField(allow_null=True)


class OptionsReply(serializers.Serializer[Any]):
    outlets = OutletOption(many=True)
    machines = MachineOption(many=True)
    devices = DeviceOption(many=True)
    more = serializers.ListField(
        child=serializers.ChoiceField(("outlets", "machines", "devices")),
        help_text="The lists that have more than `limit`: look for a word, or choose an outlet",
    )


@lru_cache(maxsize=1)
def _zone_names() -> set[str]:
    return available_timezones()


class ZoneName(Parameter[ZoneInfo]):
    """The name of a time zone; STATS_TIME_ZONE where there is none."""

    def absent(self) -> ZoneInfo:
        return ZoneInfo(options().STATS_TIME_ZONE)

    def parse(self, text: str, asked: Any) -> ZoneInfo:
        if text != options().STATS_TIME_ZONE and text not in _zone_names():
            raise self.refusal("The name of a time zone, as Asia/Singapore.")
        return ZoneInfo(text)


class LocalInstant(Instant):
    """A time in YEARS, of the zone `tz` where it has no offset."""

    def parse(self, text: str, asked: "SpanQuery") -> datetime | None:
        # A zone that cannot be read is refused already; the times are read for what is wrong with them, too.
        zone: ZoneInfo = asked.tz or ZoneInfo("UTC")
        instant = parse_query(self.name, text, zone, is_end=self.is_end)
        if instant is not None and instant.astimezone(zone).year not in YEARS:
            raise self.refusal(f"In the years {YEARS[0]} to {YEARS[-1]}.")
        return instant


class SpanQuery(QueryString):
    """Which treatments, and in which buckets of time."""

    names_all = True

    tz = ZoneName("The zone of the buckets; the server's unless told")
    granularity = Choice(GRANULARITIES, default="day", says="day unless told")
    days = Whole(1, MAX_DAYS, default=7, says="Days up to end, or now; 7 unless told. start overrides it")
    start = LocalInstant("ISO 8601, inclusive; without an offset, of tz; a date is its whole day")
    end = LocalInstant("ISO 8601, inclusive; without an offset, of tz; a date is its whole day", is_end=True)
    outlet_id = Whole(1, BIGGEST)
    machine_id = Whole(1, BIGGEST)
    device_id = Text("Any name of the device, or its integer id")
    cumulative = Flag(says="Adds the series up")
    compare = Flag(says="prev_series as well")
    until_now = Flag(says="Ends the bucket of now at this instant, and the one beside it as long after its beginning")


class StatsQuery(SpanQuery):
    ma = Whole(0, MAX_BUCKETS, default=0, says="Averages the series over so many buckets; 0: not")


class StatsExportQuery(StatsQuery):
    bom = Bom()


class OptionsQuery(QueryString):
    outlet_id = Whole(1, BIGGEST, says="Machines there, and their devices")
    machine_id = Whole(1, BIGGEST, says="The device of that machine")
    q = Text("Words, each of which occurs in them, as the search of people's pages finds them")
    limit = Whole(1, MOST_OPTIONS, default=MOST_OPTIONS, says=f"Of each list; {MOST_OPTIONS:,} unless told")


def read_filters(query: Query) -> Filters:
    """Raises Invalid naming every parameter that cannot be read; an empty one counts as absent."""
    asked = StatsQuery.read(query)
    return replace(filters_of(asked), ma=asked.ma)


def filters_of(asked: SpanQuery) -> Filters:
    return Filters(
        granularity=asked.granularity,
        zone=asked.tz,
        days=asked.days,
        start=asked.start,
        end=asked.end,
        outlet_id=asked.outlet_id,
        machine_id=asked.machine_id,
        device_id=asked.device_id,
        cumulative=asked.cumulative,
        compare=asked.compare,
        until_now=asked.until_now,
    )


class Stats(ApiView):
    """How often which treatment was chosen, over time."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="statistics",
        parameters=StatsQuery.parameters,
        responses={200: StatsReply, **PROBLEMS},
        tags=["statistics"],
    )
    def get(self, request: Request) -> Response:
        return Response(statistics(request.user, read_filters(request.query_params), timezone.now()))


@extend_schema_view(get=extend_schema(operation_id="test_statistics"))
class StatsAlias(Stats):
    pass


class StatsOptions(ApiView):
    """The outlets, machines and devices that statistics may be asked of."""

    @extend_schema(
        operation_id="statistics_options",
        parameters=OptionsQuery.parameters,
        responses={200: OptionsReply, **PROBLEMS},
        tags=["statistics"],
    )
    def get(self, request: Request) -> Response:
        asked = OptionsQuery.read(request.query_params)
        found = statistics_options(
            request.user,
            outlet_id=asked.outlet_id,
            machine_id=asked.machine_id,
            words=looked_for(asked.q or ""),
            most=asked.limit,
            outlets=asked.limit,
        )
        return Response(found)


@extend_schema_view(get=extend_schema(operation_id="test_statistics_options"))
class StatsOptionsAlias(StatsOptions):
    pass


class StatsExport(ApiView):
    """The series as CSV, a line for each bucket."""

    is_heavy = True

    @extend_schema(
        operation_id="statistics_export",
        parameters=StatsExportQuery.parameters,
        responses={**CSV, **PROBLEMS},
        tags=["statistics"],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = StatsExportQuery.read(request.query_params)
        found = statistics(request.user, read_filters(request.query_params), timezone.now())
        rows = zip(found["labels"], *(found["series"][name] for name in COLUMNS), strict=True)
        return sheet("statistics.csv", [("label", *COLUMNS), *rows], bom=asked.bom)


@extend_schema_view(get=extend_schema(operation_id="test_statistics_export"))
class StatsExportAlias(StatsExport):
    pass
