"""What a device has sent, for people and for the device itself: the latest reading, the history."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.readings import queries
from device_gateway.readings.authentication import DeviceOrPerson, device_for
from device_gateway.readings.parameters import BucketsQuery, PageQuery, TimesQuery, make_cursor
from device_gateway.readings.serializers import HistoryReply, LatestReply
from ozone.accounts.authentication import SessionAuthentication
from ozone.webapi.paging import fitting, following
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.errors import NotFound
from ozone.wire.jsonio import packed
from ozone.wire.times import iso

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class Latest(ApiView):
    """The reading with the greatest (occurred_at, id)."""

    allow_local_operator = True
    authentication_classes = (DeviceOrPerson, SessionAuthentication)

    @extend_schema(responses={200: LatestReply, **PROBLEMS}, tags=["gateway"])
    def get(self, request: Request, name: str) -> Response:
        device = device_for(request.user, name)
        state = device.state
        if state.latest_received_at is None:
            raise NotFound("This device has sent nothing yet.", code="no_telemetry")
        return Response(
            {"device_id": device.pk, "received_at": iso(state.latest_received_at), "payload": state.latest_payload}
        )


class History(ApiView):
    """A device's readings, newest first; or their figures in buckets of time, oldest first."""

    authentication_classes = (DeviceOrPerson, SessionAuthentication)
    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        parameters=[*TimesQuery.parameters, *PageQuery.parameters, *BucketsQuery.parameters],
        responses={200: HistoryReply, **PROBLEMS},
        tags=["gateway"],
    )
    def get(self, request: Request, name: str) -> Response:
        device = device_for(request.user, name)
        query = request.query_params
        times = TimesQuery.read(query)
        if "bucket" in query or "fields" in query:
            buckets = BucketsQuery.read(query)
            results = queries.bucketed(
                device, bucket=buckets.bucket, fields=buckets.fields, start=times.start, end=times.end
            )
            return Response({"results": packed(results), "next": None})
        asked = PageQuery.read(query)
        rows = queries.readings(device, start=times.start, end=times.end, before=asked.cursor)
        fit = fitting(rows, "payload", asked.limit)
        page = list(rows[: fit.number])
        more = None
        if fit.has_more and page:
            last = page[-1]
            more = following(request, cursor=make_cursor(last.occurred_at, last.pk))
        return Response(
            {
                "results": [
                    {
                        "occurred_at": iso(reading.occurred_at),
                        "received_at": iso(reading.received_at),
                        "payload": reading.payload,
                    }
                    for reading in page
                ],
                "next": more,
            }
        )
