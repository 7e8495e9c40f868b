"""Who may read what a device has sent: a person, or the device itself by its own key."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.request import Request

from device_gateway.keys.identity import Identity
from device_gateway.keys.memory import keyring
from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.authentication import AccessTokenAuthentication
from ozone.accounts.callers import address_of
from ozone.wire.errors import Forbidden, Unauthorized


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
        identity = keyring.find(token) or keyring.look_up(token, address_of(request._request))
        if identity.archived:
            raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
        if not identity.assigned:
            raise Forbidden("This device is not assigned. An operator can assign it.", code="not_assigned")
        return DeviceCaller(identity)


class DeviceOrPersonScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI names it."""

    target_class = "device_gateway.readings.authentication.DeviceOrPerson"
    name = "deviceKeyOrAccessToken"
    priority = 1  # before that of access tokens, which takes subclasses too

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A device's key, or a person's access token"}


def device_for(caller: Any, name: str) -> Device:
    """The device of that name, if the caller may read its telemetry."""
    if isinstance(caller, DeviceCaller):
        return find_device(Device.objects.filter(pk=caller.device_pk), name)
    return find_device(visible_devices(caller), name)
