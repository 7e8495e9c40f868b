"""Section 4: the partner's messages, their diagnosis, and what staff read."""

import logging
import time
from typing import Any, Final

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from ozone.accounts.authentication import AccessTokenAuthentication
from ozone.accounts.callers import address_of, headers_of, is_staff, is_superuser
from ozone.accounts.permissions import Staff
from ozone.webapi import view
from ozone.webapi.paging import following
from ozone.webapi.parameters import given
from ozone.webapi.view import ApiView
from ozone.wire.errors import ApiError, NotFound
from stations import queries
from stations import serializers as wires
from stations.errors import error_body
from stations.journal import record
from stations.models import SyncLog
from stations.parameters import PageQuery, PowerBanksQuery, StationsQuery
from stations.partner.addresses import check_address
from stations.partner.signing import Signed
from stations.partner.switch import stations_enabled
from stations.payloads import Message, read_message, type_of
from stations.services import sync
from stations.writing import write, write_later

logger = logging.getLogger("stations")

PROBLEMS: Final = dict.fromkeys((400, 401, 403, 404, 405), wires.PROBLEM)
STEPS: Final = {
    "IP_NOT_ALLOWED": 1,
    "AUTHENTICATION_FAILED": 2,
    "PERMISSION_DENIED": 2,
    "MISSING_HEADERS": 3,
    "INVALID_TIMESTAMP": 3,
    "INVALID_CONTENT_TYPE": 3,
    "TIMESTAMP_EXPIRED": 4,
    "INVALID_SIGNATURE": 5,
    "VALIDATION_ERROR": 6,
    "INVALID_TYPE": 6,
}
"""The check of the contract that an error code belongs to."""
_OF_THE_SIGNATURE: Final = ("MISSING_HEADERS", "INVALID_TIMESTAMP", "TIMESTAMP_EXPIRED", "INVALID_SIGNATURE")
"""What an operator looks for who searches the log for `signature`."""


class StationView(ApiView):
    """404 for everything where stations are off, and errors in the shape of section 4."""

    allow_station_connector = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not stations_enabled():
            raise NotFound
        super().initial(request, *args, **kwargs)

    def error_body(self, error: ApiError) -> dict[str, Any]:
        return error_body(error)


class StaffSuperuser(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_staff(request.user) and is_superuser(request.user)


class SignedView(StationView):
    """Steps 1 to 6 of the checks, in the contract's order. `signed` is there from step 3 on, `message` after step 6."""

    authentication_classes = (AccessTokenAuthentication,)
    permission_classes = (StaffSuperuser,)
    speaks_for_many = True
    """As below: of its requests as many are under way at once as there are threads (ozontelemetry.bridge)."""
    signed: Signed | None = None
    message: Message | None = None

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.now, self.started = timezone.now(), time.perf_counter()

    def perform_authentication(self, request: Request) -> None:
        check_address(address_of(request._request))
        super().perform_authentication(request)

    def check_throttles(self, request: Request) -> None:
        """None: one account speaks for thousands of stations, which come back all at once after an outage."""

    def read(self, request: Request) -> Message:
        """Steps 3 to 6."""
        self.signed = Signed.of(request._request.body, headers_of(request._request))
        if not self.signed.check(self.now.timestamp()):
            logger.info("%s: signature made with the previous secret, %s", type(self).__name__, self._caller())
        self.message = read_message(self.signed.body, self.now)
        return self.message

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        code = response.data["error"]
        words = "signature check failed, " if code in _OF_THE_SIGNATURE else ""
        # Quoted and cut: a sentence may repeat a word of the body.
        sentence = ascii(response.data["message"])[:200]
        logger.warning("%s: %srefused %s, %s: %s", type(self).__name__, words, code, self._caller(), sentence)
        return response

    def _caller(self) -> str:
        """What a log line may say of a request: where it is from and a hash of its body, never a signature."""
        address = address_of(self.request._request) or "a socket file"
        if self.signed is None:
            return f"from {address}"
        return f"from {address}, body of {len(self.signed.body)} bytes, SHA-256 {self.signed.body_hash[:12]}…"


class StationDataInternalView(SignedView):
    """What a partner's system tells of its stations."""

    @extend_schema(
        operation_id="stations_data",
        request=wires.SYNC_REQUEST,
        responses={200: wires.SYNC_REPLY, **PROBLEMS, 503: wires.PROBLEM},
        parameters=[
            OpenApiParameter("X-Signature", str, OpenApiParameter.HEADER, required=True),
            OpenApiParameter("X-Timestamp", str, OpenApiParameter.HEADER, required=True),
        ],
        tags=["stations"],
    )
    def post(self, request: Request) -> Response:
        """Applies a message once; the same request or body again gets the first reply again."""
        message = self.read(request)
        assert self.signed is not None
        outcome = sync(message=message, signed=self.signed, now=self.now, since=self.started)
        logger.info(
            "StationDataInternalView: %s from station %s: %s",
            type_of(message),
            message.device.serial_number,
            outcome.kind.value,
        )
        return Response(outcome.body())

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if self.signed is not None:
            try:
                # Who was told to come again is not to wait for this line, too.
                (write_later if response.status_code == 503 else write)(
                    record,
                    kind=type_of(self.message) if self.message else "",
                    serial_number=self.message.device.serial_number if self.message else "",
                    outcome=SyncLog.Outcome.REFUSED,
                    code=response.data["error"],
                    body_hash=self.signed.body_hash,
                    now=self.now,
                    since=self.started,
                )
            except (DatabaseError, ApiError) as error:
                logger.warning("StationDataInternalView: the sync log could not be written: %s", error)
        return response


class StationVerifyView(SignedView):
    """The same checks without an effect: which step fails, and what was signed."""

    @extend_schema(
        operation_id="stations_verify",
        request=wires.SYNC_REQUEST,
        responses={200: wires.VERIFIED, 400: wires.VERIFIED, 401: wires.VERIFIED, 403: wires.VERIFIED},
        tags=["stations"],
    )
    def post(self, request: Request) -> Response:
        """Says what `stations/data` would say of this request, and applies nothing."""
        self.read(request)
        return Response({"success": True, "message": "Every check passes", "data": self._diagnosis(None)})

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        step = STEPS.get(response.data["error"])
        if step is not None:
            response.data["data"] = self._diagnosis(step)
        return response

    def _diagnosis(self, failed_step: int | None) -> dict[str, Any]:
        """Never the secret, nor the signature that was expected. Before step 3 nobody has said who they are."""
        diagnosis: dict[str, Any] = {"failed_step": failed_step}
        if self.signed is not None:
            diagnosis["signed"] = self.signed.described(self.now.timestamp())
        return diagnosis


class ListView(StationView):
    """A list for staff, by serial number, a page at a time."""

    permission_classes = (Staff,)

    def page(self, request: Request, asked: PageQuery, found: "QuerySet[Any]", row: type[Serializer[Any]]) -> Response:
        """`limit` rows after the serial number `cursor`, and the address of the next page."""
        limit = asked.limit
        if asked.cursor:
            found = found.filter(serial_number__gt=asked.cursor)
        rows = list(found[: limit + 1])
        more = None
        if len(rows) > limit:
            more = following(request, cursor=rows[limit - 1].serial_number)
        return Response({"results": row(rows[:limit], many=True).data, "next": more})


class StationListView(ListView):
    @extend_schema(
        operation_id="stations",
        parameters=StationsQuery.parameters,
        responses={200: wires.page_of("StationPage", wires.StationRow), **PROBLEMS},
        tags=["stations"],
    )
    def get(self, request: Request) -> Response:
        """Stations with counts of their slots and power banks."""
        asked = StationsQuery.read(request.query_params)
        found = queries.stations().filter(**given({"status": asked.status}))
        return self.page(request, asked, found, wires.StationRow)


class NothingHere(view.NothingHere):
    """404 for every other path at and below those of section 4, in its shape."""

    def error_body(self, error: ApiError) -> dict[str, Any]:
        return error_body(error)


class StationDetailView(StationView):
    permission_classes = (Staff,)

    @extend_schema(operation_id="station", responses={200: wires.StationDetail, **PROBLEMS}, tags=["stations"])
    def get(self, request: Request, serial: str) -> Response:
        """One station with its slots, what sits in them, and its last returns."""
        station = queries.find_station(serial)
        station.shown_slots = queries.slots_of(station)  # type: ignore[attr-defined]
        station.shown_returns = queries.recent_returns(station)  # type: ignore[attr-defined]
        return Response(wires.StationDetail(station).data)


class PowerBankListView(ListView):
    @extend_schema(
        operation_id="power_banks",
        parameters=PowerBanksQuery.parameters,
        responses={200: wires.page_of("PowerBankPage", wires.PowerBankRow), **PROBLEMS},
        tags=["stations"],
    )
    def get(self, request: Request) -> Response:
        """Power banks, with the station and slot each sits in."""
        asked = PowerBanksQuery.read(request.query_params)
        wanted = {"status": asked.status, "station__serial_number": asked.station}
        found = queries.power_banks().filter(**given(wanted))
        return self.page(request, asked, found, wires.PowerBankRow)
