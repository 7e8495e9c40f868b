"""Prices of treatments and shares of outlets: staff's."""

from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.prices import services
from ledger.prices.models import Price, Share
from ledger.prices.serializers import PriceReply, PriceRequest, ShareReply, ShareRequest
from ozone.accounts.permissions import Staff
from ozone.webapi.paging import following, link_to
from ozone.webapi.parameters import BIGGEST, Choice, QueryString, Whole, given
from ozone.webapi.replies import RowReply
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.jsonio import packed
from telemetry.treatments import TREATMENTS

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 429: Problem, 503: Problem}
PRICE = Resource(PriceRequest)
SHARE = Resource(ShareRequest)


class SharesQuery(QueryString):
    outlet_id = Whole(1, BIGGEST)
    limit = Whole(1, 10_000, default=1_000)
    offset = Whole(0, 10**9, default=0)


class PricesQuery(SharesQuery):
    treatment = Choice(TREATMENTS)


class Prices(ApiView):
    """What treatments cost, from which day on."""

    permission_classes = (Staff,)
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="prices_list",
        parameters=PricesQuery.parameters,
        responses={200: PriceReply(many=True), **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """By day; with `outlet_id` the outlet's own. The next page is in the Link header."""
        asked = PricesQuery.read(request.query_params)
        found = Price.objects.filter(**given({"outlet_id": asked.outlet_id, "treatment": asked.treatment}))
        return _listed(request, PriceReply, found, asked)

    @extend_schema(
        operation_id="price_set",
        request=PriceRequest,
        responses={200: PriceReply, 201: PriceReply, **PROBLEMS, 409: Problem},
        tags=["money"],
    )
    def post(self, request: Request) -> Response:
        """Sets a price from a day on; one of the same day is replaced (200)."""
        wanted = PRICE.wanted(request.data, partial=False)
        wanted["amount"] = wanted.pop("price")
        price, is_new = services.set_price(**wanted, actor=request.user, now=timezone.now())
        return _reply(PriceReply, price, is_new=is_new)


class OnePrice(ApiView):
    """A price that was set by mistake."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="price_delete", responses={204: None, **PROBLEMS, 404: Problem, 409: Problem}, tags=["money"]
    )
    def delete(self, request: Request, number: str) -> Response:
        """As if it had never been set: what held before it goes on. None that a closed statement used."""
        services.delete_price(number=int(number))
        return Response(status=204)


class Shares(ApiView):
    """How much of what is earned at an outlet is the outlet's, from which day on."""

    permission_classes = (Staff,)
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="shares_list",
        parameters=SharesQuery.parameters,
        responses={200: ShareReply(many=True), **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """By day; the next page is in the Link header."""
        asked = SharesQuery.read(request.query_params)
        found = Share.objects.filter(**given({"outlet_id": asked.outlet_id}))
        return _listed(request, ShareReply, found, asked)

    @extend_schema(
        operation_id="share_set",
        request=ShareRequest,
        responses={200: ShareReply, 201: ShareReply, **PROBLEMS, 409: Problem},
        tags=["money"],
    )
    def post(self, request: Request) -> Response:
        """Sets an outlet's share from a day on; one of the same day is replaced (200)."""
        wanted = SHARE.wanted(request.data, partial=False)
        wanted["hundredths"] = wanted.pop("percent")
        share, is_new = services.set_share(**wanted, actor=request.user, now=timezone.now())
        return _reply(ShareReply, share, is_new=is_new)


class OneShare(ApiView):
    """A share that was set by mistake."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="share_delete", responses={204: None, **PROBLEMS, 404: Problem, 409: Problem}, tags=["money"]
    )
    def delete(self, request: Request, number: str) -> Response:
        """As if it had never been set: what held before it goes on. None that a closed statement used."""
        services.delete_share(number=int(number))
        return Response(status=204)


def _listed(request: Request, reply: type[RowReply], found: "QuerySet[Any]", asked: SharesQuery) -> Response:
    end = asked.offset + asked.limit
    rows = reply.rows(found[asked.offset : end + 1], timezone.now())
    shown = packed(islice(rows, asked.limit))
    is_more = next(rows, None) is not None
    return Response(shown, headers=link_to(following(request, offset=end)) if is_more else {})


def _reply(reply: Any, row: Price | Share, *, is_new: bool) -> Response:
    shown = next(reply.rows(type(row)._default_manager.filter(pk=row.pk), timezone.now()))
    return Response(shown, status=201 if is_new else 200)
