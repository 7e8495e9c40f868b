"""The device routes of section 1, for the front door and for the URLconf alike."""

import base64
from typing import Final

from device_gateway import services
from device_gateway.gate import Call, DeviceRoute, Write
from device_gateway.identity import Identity
from device_gateway.payloads import check_object, claim_reply, read_readings
from device_gateway.readings import READINGS, Arrival
from ozone.wire import bodies, jsonio
from ozone.wire.errors import Invalid
from ozone.wire.http import Reply, Request
from ozone.wire.times import iso_or_none


def ingest(request: Request, identity: Identity) -> Write:
    """A reading or a batch of them, stored before the reply."""
    bodies.require_json(request.body, request.headers)
    readings, reply = read_readings(request.body, identity, request.received_at, request.headers.get("idempotency-key"))
    return Write(READINGS, Arrival(identity.pk, request.received_at, readings), len(request.body), len(readings), reply)


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
        "device_metadata": check_object(body.get("device_metadata"), "device_metadata"),
        "client": request.client,
        "now": request.received_at,
    }
    return Call(services.claim, arguments, reply)


CLAIM: Final = DeviceRoute("devices/claim", {"POST": claim}, is_open=True)
INGEST: Final = DeviceRoute("device-data/ingest", {"POST": ingest})

ROUTES: Final = [(f"{prefix}/{route.path}", route) for prefix in ("gateway", "api") for route in (CLAIM, INGEST)]
"""Path below the root, and who answers there."""
