"""How the OpenAPI names the credential of a device that reads what it has sent."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class DeviceOrPersonScheme(OpenApiAuthenticationExtension):
    target_class = "device_gateway.views.DeviceOrPerson"
    name = "deviceKeyOrAccessToken"
    priority = 1  # before that of access tokens, which takes subclasses too

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A device's key, or a person's access token"}
