"""The claim, for the front door and for the URLconf alike."""

import base64
from typing import Final

from device_gateway.claims import services
from device_gateway.claims.payloads import claim_reply
from device_gateway.gate import Call, DeviceRoute
from ozone.wire import bodies, jsonio
from ozone.wire.errors import Invalid
from ozone.wire.http import Reply, Request
from ozone.wire.times import iso_or_none


def claim(request: Request) -> Call:
    """A provisioning token for a key of one's own."""
    bodies.require_json(request.body, request.headers)
    body = jsonio.decode(request.body) if request.body else {}
    if type(body) is not dict:
        raise Invalid("Send a JSON object with the token.", code="not_an_object")
    # Where the reading goes is beside where the claim came in, so that a mount under any prefix works.
    ingest_url = request.origin + request.path.rstrip("/").removesuffix("devices/claim") + "device-data/ingest"

    def reply(claimed: services.Claimed) -> Reply:
        return claim_reply(
            device=claimed.device,
            api_key=claimed.api_key,
            ingest_url=ingest_url,
            token_expires_at=iso_or_none(claimed.token_expires_at),
            encryption_key=base64.b64encode(claimed.data_key).decode() if claimed.data_key else None,
        )

    arguments = {
        "token": body.get("token"),
        "device_metadata": jsonio.check_object(body.get("device_metadata"), "device_metadata"),
        "client": request.client,
        "now": request.received_at,
    }
    return Call(services.claim, arguments, reply)


CLAIM: Final = DeviceRoute("devices/claim", {"POST": claim}, is_open=True)
