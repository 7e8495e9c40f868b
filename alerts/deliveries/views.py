"""The log: of one's own channels; staff reads all of it."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.deliveries.models import Delivery
from alerts.deliveries.serializers import DeliveryList, DeliveryReply
from alerts.deliveries.services import replay
from ozone.webapi.parameters import BIGGEST, Choice, QueryString, Whole, given
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.errors import NotFound

PROBLEMS = {400: Problem, 401: Problem, 429: Problem, 503: Problem}


class DeliveriesQuery(QueryString):
    channel_id = Whole(1, BIGGEST)
    incident_id = Whole(1, BIGGEST)
    state = Choice(Delivery.State.values)
    limit = Whole(1, 1000, default=100)
    before = Whole(1, BIGGEST, says="`next` of an earlier reply")


def visible_deliveries(actor: Any) -> "QuerySet[Delivery]":
    """Those to the actor's own channels; all for staff, who see no address and no secret in them."""
    return Delivery.objects.all() if actor.is_staff else Delivery.objects.filter(person_id=actor.pk)


class Deliveries(ApiView):
    """What was sent, and what became of it."""

    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="deliveries_list",
        parameters=DeliveriesQuery.parameters,
        responses={200: DeliveryList, **PROBLEMS},
        tags=["alerts"],
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        asked = DeliveriesQuery.read(request.query_params)
        wanted = {
            "channel_id": asked.channel_id,
            "incident_id": asked.incident_id,
            "state": asked.state,
            "pk__lt": asked.before,
        }
        rows = visible_deliveries(request.user).filter(**given(wanted)).order_by("-id")
        found = list(DeliveryReply.rows(rows[: asked.limit + 1], timezone.now()))
        is_all = len(found) <= asked.limit
        shown = found[: asked.limit]
        return Response({"results": shown, "next": None if is_all else shown[-1]["id"]})


class ReplayDelivery(ApiView):
    """Sends a message once more."""

    @extend_schema(
        operation_id="delivery_replay",
        request=None,
        responses={202: DeliveryReply, **PROBLEMS, 404: Problem, 409: Problem},
        tags=["alerts"],
    )
    def post(self, request: Request, number: str) -> Response:
        """To a channel of one's own, under the id it had: who has it already can tell."""
        own = Delivery.objects.filter(person_id=request.user.pk).select_related("channel__person")
        found = own.filter(pk=int(number)).first() if len(number) < 19 else None
        if found is None:
            raise NotFound("There is no such delivery of yours.", code="unknown_delivery")
        return Response(DeliveryReply.one(replay(delivery=found, now=timezone.now())), status=202)
