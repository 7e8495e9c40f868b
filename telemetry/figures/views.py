"""Statistics for operators: series and key figures, what may be chosen, and the series as CSV."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.webapi.parameters import MAX_DAYS, Query, choice, flag, whole
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.conf import options
from ozone.wire.errors import Invalid
from ozone.wire.times import parse_query
from telemetry.figures.buckets import GRANULARITIES, MAX_BUCKETS
from telemetry.figures.statistics import YEARS, Filters, statistics, statistics_options

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
BIGGEST: Final = 2**63 - 1
COLUMNS: Final = ("basic", "standard", "premium", "total")
PARAMETERS = [
    OpenApiParameter("outlet_id", int),
    OpenApiParameter("machine_id", int),
    OpenApiParameter("device_id", str, description="Any name of the device, or its integer id"),
    OpenApiParameter("granularity", str, enum=GRANULARITIES, description="day unless told"),
    OpenApiParameter(
        "start", str, description="ISO 8601, inclusive; without an offset, of tz; a date is its whole day"
    ),
    OpenApiParameter("end", str, description="ISO 8601, inclusive; without an offset, of tz; a date is its whole day"),
    OpenApiParameter("days", int, description="Days up to end, or now; 7 unless told. start overrides it"),
    OpenApiParameter("cumulative", bool, description="Adds the series up"),
    OpenApiParameter("ma", int, description="Averages the series over so many buckets; 0: not"),
    OpenApiParameter("compare", bool, description="prev_series as well"),
    OpenApiParameter("tz", str, description="The zone of the buckets; the server's unless told"),
]


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
    prev_total = serializers.IntegerField(help_text="Of as many buckets just before")
    delta_pct = serializers.FloatField(allow_null=True, help_text="null when prev_total is 0")


class StatsReply(serializers.Serializer[Any]):
    labels = serializers.ListField(child=serializers.CharField(), help_text="One for each bucket, with no gaps")
    series = SeriesReply()
    prev_series = SeriesReply(allow_null=True)
    kpi = KeyFigures(help_text="Of the plain series, whatever cumulative and ma say")


class OutletOption(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class MachineOption(OutletOption):
    outlet_id = serializers.IntegerField(allow_null=True)


class DeviceOption(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    device_id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    machine_id = serializers.IntegerField(allow_null=True)


class OptionsReply(serializers.Serializer[Any]):
    outlets = OutletOption(many=True)
    machines = MachineOption(many=True)
    devices = DeviceOption(many=True)


@lru_cache(maxsize=1)
def _zone_names() -> set[str]:
    return available_timezones()


def _zone(query: Query) -> ZoneInfo:
    name = query.get("tz") or options().STATS_TIME_ZONE
    if name != options().STATS_TIME_ZONE and name not in _zone_names():
        raise Invalid.named("tz", "The name of a time zone, as Asia/Singapore.")
    return ZoneInfo(name)


def _instant(query: Query, name: str, zone: ZoneInfo) -> datetime | None:
    instant = parse_query(name, query.get(name), zone, is_end=name == "end")
    if instant is not None and instant.astimezone(zone).year not in YEARS:
        raise Invalid.named(name, f"In the years {YEARS[0]} to {YEARS[-1]}.")
    return instant


def read_filters(query: Query) -> Filters:
    """Raises Invalid naming every parameter that cannot be read; an empty one counts as absent."""
    errors: dict[str, Any] = {}

    def read(reader: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return reader(*arguments)
        except Invalid as error:
            errors.update(error.errors or {})
            return None

    zone = read(_zone, query)
    filters = Filters(
        granularity=read(choice, query, "granularity", GRANULARITIES) or "day",
        zone=zone,
        days=read(whole, query, "days", 7, 1, MAX_DAYS),
        start=read(_instant, query, "start", zone or ZoneInfo("UTC")),
        end=read(_instant, query, "end", zone or ZoneInfo("UTC")),
        outlet_id=read(whole, query, "outlet_id", None, 1, BIGGEST),
        machine_id=read(whole, query, "machine_id", None, 1, BIGGEST),
        device_id=query.get("device_id") or None,
        cumulative=read(flag, query, "cumulative"),
        ma=read(whole, query, "ma", 0, 0, MAX_BUCKETS),
        compare=read(flag, query, "compare"),
    )
    if errors:
        raise Invalid(" ".join(f"{name}: {sentences[0]}" for name, sentences in errors.items()), errors=errors)
    return filters


class Stats(ApiView):
    """How often which treatment was chosen, over time."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="statistics", parameters=PARAMETERS, responses={200: StatsReply, **PROBLEMS}, tags=["statistics"]
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
        parameters=[
            OpenApiParameter("outlet_id", int, description="Machines there, and their devices"),
            OpenApiParameter("machine_id", int, description="The device of that machine"),
        ],
        responses={200: OptionsReply, **PROBLEMS},
        tags=["statistics"],
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        chosen = {name: whole(query, name, None, 1, BIGGEST) for name in ("outlet_id", "machine_id")}
        return Response(statistics_options(request.user, **chosen))


@extend_schema_view(get=extend_schema(operation_id="test_statistics_options"))
class StatsOptionsAlias(StatsOptions):
    pass


class StatsExport(ApiView):
    """The series as CSV, a line for each bucket."""

    is_heavy = True

    @extend_schema(
        operation_id="statistics_export",
        parameters=PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR, **PROBLEMS},
        tags=["statistics"],
    )
    def get(self, request: Request) -> HttpResponse:
        found = statistics(request.user, read_filters(request.query_params), timezone.now())
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["label", *COLUMNS])
        writer.writerows(zip(found["labels"], *(found["series"][name] for name in COLUMNS), strict=True))
        disposition = 'attachment; filename="statistics.csv"'
        return HttpResponse(text.getvalue(), "text/csv; charset=utf-8", headers={"Content-Disposition": disposition})


@extend_schema_view(get=extend_schema(operation_id="test_statistics_export"))
class StatsExportAlias(StatsExport):
    pass
