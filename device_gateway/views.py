"""The operators' side of section 1, and the registry's own endpoints (2.4)."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway import queries, services
from device_gateway.identity import Identity
from device_gateway.models import Device
from device_gateway.payloads import NO_STORE
from device_gateway.registry import registry
from device_gateway.serializers import (
    DeviceChange,
    DeviceReply,
    DeviceRequest,
    HistoryReply,
    LatestReply,
    ProvisionReply,
    ProvisionRequest,
    device_json,
)
from ozone.accounts.authentication import AccessTokenAuthentication, SessionAuthentication
from ozone.accounts.callers import address_of, is_person
from ozone.accounts.permissions import StaffWrites
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.errors import Forbidden, Invalid, NotFound, Unauthorized
from ozone.wire.times import iso, iso_or_none, parse_iso, parse_query

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000
MAX_FIELDS = 50
PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class DeviceCaller:
    """A device that reads what it has sent, by its own key."""

    is_authenticated = True
    is_staff = False
    is_superuser = False
    pk = None

    def __init__(self, identity: Identity) -> None:
        self.device_pk = identity.pk


class DeviceOrPerson(AccessTokenAuthentication):
    """A person's access token, or a device's key."""

    def authenticate_bearer(self, request: Request, token: str) -> Any:
        if token.count(".") == 2:  # shaped like an access token; a key set by hand may be, too
            try:
                return super().authenticate_bearer(request, token)
            except Unauthorized:
                pass
        identity = registry.find(token) or registry.look_up(token, address_of(request._request))
        if identity.archived:
            raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
        if not identity.assigned:
            raise Forbidden("This device is not assigned. An operator can assign it.", code="not_assigned")
        return DeviceCaller(identity)


def _device_for(caller: Any, name: str) -> Device:
    """The device of that name, if the caller may read its telemetry."""
    if isinstance(caller, DeviceCaller):
        return queries.find_device(Device.objects.filter(pk=caller.device_pk), name)
    return queries.find_device(queries.visible_devices(caller), name)


class Provision(ApiView):
    """Issues a provisioning token: for staff, or the device's owner."""

    allow_local_operator = True

    @extend_schema(request=ProvisionRequest, responses={201: ProvisionReply, **PROBLEMS}, tags=["gateway"])
    def post(self, request: Request, name: str) -> Response:
        device = queries.find_device(queries.visible_devices(request.user, archived=True), name)
        wanted = _valid(ProvisionRequest, request.data)
        issued = services.issue_token(
            device=device, issuer=request.user if is_person(request.user) else None, now=timezone.now(), **wanted
        )
        reply = {"token": issued.token, "expires_at": iso_or_none(issued.row.expires_at), "device_id": device.pk}
        return Response(reply, status=201, headers=dict(NO_STORE))


class Latest(ApiView):
    """The reading with the greatest (occurred_at, id)."""

    allow_local_operator = True
    authentication_classes = (DeviceOrPerson, SessionAuthentication)

    @extend_schema(responses={200: LatestReply, **PROBLEMS}, tags=["gateway"])
    def get(self, request: Request, name: str) -> Response:
        device = _device_for(request.user, name)
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
        device = _device_for(request.user, name)
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


class DeviceList(ApiView):
    """Adds devices to the registry; staff's."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="device_create",
        request=DeviceRequest,
        responses={201: DeviceReply, **PROBLEMS, 409: Problem},
        tags=["devices"],
    )
    def post(self, request: Request) -> Response:
        """Adds a device to the registry."""
        device = services.register_device(fields=_valid(DeviceRequest, request.data))
        return Response(device_json(device), status=201)


class DeviceDetail(ApiView):
    """One device: read by staff and its owner, changed and archived by staff."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="device_read", responses={200: DeviceReply, **PROBLEMS}, tags=["devices"])
    def get(self, request: Request, name: str) -> Response:
        return Response(device_json(queries.find_device(queries.visible_devices(request.user), name)))

    @extend_schema(
        operation_id="device_change",
        request=DeviceChange,
        responses={200: DeviceReply, **PROBLEMS, 409: Problem},
        tags=["devices"],
    )
    def patch(self, request: Request, name: str) -> Response:
        """Changes what is sent. A former `device_id` stays valid for the device."""
        device = queries.find_device(queries.visible_devices(request.user), name)
        return Response(device_json(services.change_device(device=device, fields=_valid(DeviceChange, request.data))))

    @extend_schema(operation_id="device_archive", responses={204: None, **PROBLEMS}, tags=["devices"])
    def delete(self, request: Request, name: str) -> Response:
        """Archives the device: out of every list, until it is restored."""
        device = queries.find_device(queries.visible_devices(request.user), name)
        services.archive_device(device=device, now=timezone.now())
        return Response(status=204)


class Restore(ApiView):
    """Brings an archived device back with its credential."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="device_restore", request=None, responses={200: DeviceReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str) -> Response:
        device = queries.find_device(queries.visible_devices(request.user, archived=True), name)
        services.restore_device(device=device)
        return Response(device_json(device))


class NothingHere(ApiView):
    """404 in JSON for every other path below a mount of ours."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def nothing(*_: Any, **__: Any) -> Response:
            raise NotFound

        for method in self.http_method_names:
            setattr(self, method, nothing)
        return super().dispatch(request, *args, **kwargs)


def _valid(serializer_class: Callable[..., Any], data: Any) -> dict[str, Any]:
    """The fields that were sent; raises ValidationError naming those at fault."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


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
