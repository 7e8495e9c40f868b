"""Provisioning tokens, for those who issue them."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.claims.serializers import ProvisionReply, ProvisionRequest
from device_gateway.claims.services import issue_token
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.callers import is_person
from ozone.webapi.serializers import Problem, valid
from ozone.webapi.view import ApiView
from ozone.wire.http import NO_STORE
from ozone.wire.times import iso_or_none

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class Provision(ApiView):
    """Issues a provisioning token: for staff, or the device's owner."""

    allow_local_operator = True

    @extend_schema(request=ProvisionRequest, responses={201: ProvisionReply, **PROBLEMS}, tags=["gateway"])
    def post(self, request: Request, name: str) -> Response:
        device = find_device(visible_devices(request.user, archived=True), name)
        wanted = valid(ProvisionRequest, request.data)
        issued = issue_token(
            device=device, issuer=request.user if is_person(request.user) else None, now=timezone.now(), **wanted
        )
        reply = {"token": issued.token, "expires_at": iso_or_none(issued.row.expires_at), "device_id": device.pk}
        return Response(reply, status=201, headers=dict(NO_STORE))
