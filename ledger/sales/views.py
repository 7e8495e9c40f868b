"""Revenue for people: as statistics are, in money."""

from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.sales.series import revenue
from ozone.webapi.parameters import Bom
from ozone.webapi.sheets import CSV, sheet
from ozone.webapi.view import ApiView, PlainJsonRenderer
from telemetry.figures.statistics import statistics
from telemetry.figures.views import COLUMNS, PROBLEMS, SpanQuery, filters_of

_HEADS: Final = ("label", *COLUMNS, *(f"revenue_{name}" for name in COLUMNS), "currency")


class RevenueExportQuery(SpanQuery):
    bom = Bom()


class AmountsReply(serializers.Serializer[Any]):
    basic = serializers.ListField(child=serializers.CharField())
    standard = serializers.ListField(child=serializers.CharField())
    premium = serializers.ListField(child=serializers.CharField())
    total = serializers.ListField(child=serializers.CharField())


class RevenueFigures(serializers.Serializer[Any]):
    total = serializers.CharField()
    prev_total = serializers.CharField(help_text="Of as many buckets just before; with until_now as far as now")
    delta_pct = serializers.FloatField(allow_null=True, help_text="null when prev_total is 0")
    unpriced = serializers.IntegerField(help_text="Presses that have no price")


class RevenueReply(serializers.Serializer[Any]):
    labels = serializers.ListField(child=serializers.CharField(), help_text="One for each bucket, with no gaps")
    currency = serializers.CharField()
    series = AmountsReply()
    prev_series = AmountsReply(allow_null=True)
    kpi = RevenueFigures(help_text="Of the plain series, whatever cumulative says")


class Revenue(ApiView):
    """What was earned, over time."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="revenue",
        parameters=SpanQuery.parameters,
        responses={200: RevenueReply, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """By the price that held when a treatment was chosen, at the outlet that held the machine."""
        return Response(revenue(request.user, filters_of(SpanQuery.read(request.query_params)), timezone.now()))


class RevenueExport(ApiView):
    """The series as CSV, a line for each bucket: how many, and what they earned."""

    is_heavy = True

    @extend_schema(
        operation_id="revenue_export",
        parameters=RevenueExportQuery.parameters,
        responses={**CSV, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> HttpResponse:
        asked, now = RevenueExportQuery.read(request.query_params), timezone.now()
        presses = statistics(request.user, filters_of(asked), now)
        earned = revenue(request.user, filters_of(asked), now)
        columns = [*(presses["series"][name] for name in COLUMNS), *(earned["series"][name] for name in COLUMNS)]
        currencies = [earned["currency"]] * len(earned["labels"])
        return sheet("revenue.csv", [_HEADS, *zip(earned["labels"], *columns, currencies, strict=True)], bom=asked.bom)
