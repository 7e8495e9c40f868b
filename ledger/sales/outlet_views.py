"""What outlets earned, for people: ranked, as JSON and CSV."""

from datetime import date, timedelta
from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.prices import money
from ledger.prices.book import DAY, Book
from ledger.sales.outlets import AtOutlet, by_outlet, total
from ozone.webapi.parameters import Bom, Parameter, QueryString
from ozone.webapi.sheets import CSV, sheet
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.times import people_zone
from ozone.wire.words import guarded
from telemetry.figures.views import PROBLEMS
from telemetry.models import Outlet

MOST_DAYS: Final = 366
_HEADS: Final = (
    "Outlet", "Name", "Presses", "Revenue", "Presses before", "Revenue before", "Without a price", "Unexplained",
    "Currency",
)  # fmt: skip


class DayParameter(Parameter[date]):
    """A local day; yesterday unless told."""

    def absent(self) -> date:
        return timezone.now().astimezone(people_zone()).date() - DAY

    def parse(self, text: str, asked: Any) -> date:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = date.min
        if not 2000 <= day.year < 2200:
            raise self.refusal("A day as YYYY-MM-DD, in the years 2000 to 2199.")
        return day


class OutletsQuery(QueryString):
    names_all = True

    start = DayParameter("A local day, inclusive; yesterday unless told")
    end = DayParameter("A local day, inclusive; yesterday unless told")

    def check(self) -> None:
        if self.end < self.start:
            raise self.refusal({"end": ["Not before start."]})
        if self.end - self.start >= timedelta(days=MOST_DAYS):
            raise self.refusal({"start": [f"At most {MOST_DAYS} days."]})


class OutletsExportQuery(OutletsQuery):
    bom = Bom()


class EarnedReply(serializers.Serializer[Any]):
    presses = serializers.IntegerField()
    revenue = serializers.CharField()
    prev_presses = serializers.IntegerField(help_text="On as many days, whole weeks earlier")
    prev_revenue = serializers.CharField()
    unpriced = serializers.IntegerField(help_text="Presses that have no price")
    unexplained = serializers.IntegerField(help_text="Presses of lines that nobody has settled")


class OutletEarned(EarnedReply):
    outlet_id = serializers.IntegerField(allow_null=True, help_text="null: at no outlet")
    name = serializers.CharField(allow_null=True)


class OutletsEarnedReply(serializers.Serializer[Any]):
    start = serializers.DateField()
    end = serializers.DateField()
    currency = serializers.CharField()
    total = EarnedReply()
    outlets = OutletEarned(many=True, help_text="The one that earned most first")


def earned(actor: Any, first: date, last: date) -> dict[str, Any]:
    book = Book.read()
    found = by_outlet(book, actor, first, last)
    names = dict(Outlet.objects.filter(pk__in=[one.outlet for one in found]).values_list("pk", "name"))

    def told(one: AtOutlet) -> dict[str, Any]:
        return {
            "presses": one.sold.presses,
            "revenue": money.text(one.sold.revenue, book.currency),
            "prev_presses": one.before.presses,
            "prev_revenue": money.text(one.before.revenue, book.currency),
            "unpriced": one.sold.unpriced,
            "unexplained": one.unexplained,
        }

    return {
        "start": str(first),
        "end": str(last),
        "currency": book.currency,
        "total": told(total(found)),
        "outlets": [{"outlet_id": one.outlet or None, "name": names.get(one.outlet), **told(one)} for one in found],
    }


class OutletRevenue(ApiView):
    """What outlets earned."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="revenue_outlets",
        parameters=OutletsQuery.parameters,
        responses={200: OutletsEarnedReply, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """In whole days, beside the same weekdays before."""
        asked = OutletsQuery.read(request.query_params)
        return Response(earned(request.user, asked.start, asked.end))


class OutletRevenueExport(ApiView):
    """The same as CSV, and a line of their sums."""

    is_heavy = True

    @extend_schema(
        operation_id="revenue_outlets_export",
        parameters=OutletsExportQuery.parameters,
        responses={**CSV, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = OutletsExportQuery.read(request.query_params)
        found = earned(request.user, asked.start, asked.end)
        rows = [
            (one["outlet_id"] or "", guarded(one["name"] or ""), *_cells(one), found["currency"])
            for one in found["outlets"]
        ]
        last = ("", "Total", *_cells(found["total"]), found["currency"])
        return sheet(f"revenue-{found['start']}-{found['end']}.csv", [_HEADS, *rows, last], bom=asked.bom)


def _cells(one: dict[str, Any]) -> tuple[Any, ...]:
    names = ("presses", "revenue", "prev_presses", "prev_revenue", "unpriced", "unexplained")
    return tuple(one[name] for name in names)
