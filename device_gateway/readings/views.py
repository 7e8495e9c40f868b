"""What a device has sent, for people and for the device itself: the latest reading, the history."""

import base64
import binascii
from datetime import UTC, datetime
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.readings import queries
from device_gateway.readings.authentication import DeviceOrPerson, device_for
from device_gateway.readings.serializers import HistoryReply, LatestReply
from ozone.accounts.authentication import SessionAuthentication
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.errors import Invalid, NotFound
from ozone.wire.times import iso, parse_iso, parse_query

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000
MAX_FIELDS = 50
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
        parameters=[
            OpenApiParameter("start", str, description="ISO 8601, inclusive, by occurred_at; a date is its whole day"),
            OpenApiParameter("end", str, description="ISO 8601, inclusive, by occurred_at; a date is its whole day"),
            OpenApiParameter("limit", int, description="1 to 5,000; 500 unless told"),
            OpenApiParameter("cursor", str, description="From `next`"),
            OpenApiParameter("bucket", str, enum=["minute", "hour", "day"], description="UTC"),
            OpenApiParameter("fields", str, description="With bucket: up to 50 names separated by commas"),
        ],
        responses={200: HistoryReply, **PROBLEMS},
        tags=["gateway"],
    )
    def get(self, request: Request, name: str) -> Response:
        device = device_for(request.user, name)
        query = request.query_params
        start, end = parse_query("start", query.get("start")), parse_query("end", query.get("end"), is_end=True)
        if "bucket" in query or "fields" in query:
            bucket, fields = _bucket(query.get("bucket"), query.get("fields"))
            results = queries.bucketed(device, bucket=bucket, fields=fields, start=start, end=end)
            return Response({"results": results, "next": None})
        limit = _limit(query.get("limit"))
        found = list(queries.readings(device, start=start, end=end, before=_cursor(query.get("cursor")))[: limit + 1])
        page = found[:limit]
        more = None
        if len(found) > limit:
            last = page[-1]
            kept = {key: value for key, value in query.items() if key != "cursor"}
            kept["cursor"] = _make_cursor(last.occurred_at, last.pk)
            more = f"{request.build_absolute_uri(request.path)}?{urlencode(kept)}"
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


def _bucket(bucket: str | None, fields: str | None) -> tuple[str, list[str]]:
    errors = {}
    if bucket not in queries.BUCKETS:
        errors["bucket"] = ["Must be minute, hour or day."]
    names = list(dict.fromkeys(name for name in (fields or "").split(",") if name))
    if not 1 <= len(names) <= MAX_FIELDS:
        errors["fields"] = [f"Name the numeric fields, separated by commas, {MAX_FIELDS} at most."]
    if errors:
        raise Invalid("bucket and fields go together.", errors=errors)
    return bucket or "", names


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT and len(text) < 9:
        return int(text)
    raise Invalid(f"limit is 1 to {MAX_LIMIT:,}.", errors={"limit": [f"A whole number from 1 to {MAX_LIMIT}."]})


def _make_cursor(moment: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(f"{iso(moment)} {number}".encode()).decode().rstrip("=")


def _cursor(text: str | None) -> tuple[datetime, int] | None:
    if text is None:
        return None
    try:
        when, _, number = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        moment = parse_iso(when)
        if moment is not None and 0 < int(number) < 2**63:
            return moment.astimezone(UTC), int(number)
    except (binascii.Error, ValueError):
        pass
    raise Invalid("cursor is not one of ours: take it from `next`.", errors={"cursor": ["Not a cursor."]})
