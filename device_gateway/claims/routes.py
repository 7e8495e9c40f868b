"""The claim, for the front door and for the URLconf alike."""

import base64
from typing import Final

from device_gateway.claims.payloads import claim_reply
from device_gateway.claims.storing import CLAIMS, WEIGHT, Claim, InvalidToken, Outcome
from device_gateway.gate import DeviceRoute, Write
from ozone.wire import bodies, jsonio
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import ApiError, Invalid
from ozone.wire.http import Reply, Request
from ozone.wire.limits import Limit
from ozone.wire.times import iso_or_none

FAILED_CLAIMS: Final = Limit(
    "failed_claims", lambda: options().LIMIT_FAILED_CLAIMS, "Too many failed claims from this address."
)
MAX_TOKEN: Final = 127


def claim(request: Request) -> Write:
    """A provisioning token for a key of one's own."""
    bodies.require_json(request.body, request.headers)
    body = jsonio.decode(request.body) if request.body else {}
    if type(body) is not dict:
        raise Invalid("Send a JSON object with the token.", code="not_an_object")
    metadata = jsonio.check_object(body.get("device_metadata"), "device_metadata")
    token, client = body.get("token"), request.client
    if not isinstance(token, str) or not 1 <= len(token) <= MAX_TOKEN:
        raise _counted(InvalidToken(), client)
    # Where the reading goes is beside where the claim came in, so that a mount under any prefix works.
    ingest_url = request.origin + request.path.rstrip("/").removesuffix("devices/claim") + "device-data/ingest"

    def reply(outcome: Outcome) -> Reply:
        if isinstance(outcome, ApiError):
            raise _counted(outcome, client)
        return claim_reply(
            device=outcome.device,
            api_key=outcome.api_key,
            ingest_url=ingest_url,
            token_expires_at=iso_or_none(outcome.token_expires_at),
            encryption_key=base64.b64encode(outcome.data_key).decode() if outcome.data_key else None,
        )

    return Write(CLAIMS, Claim(token, metadata, client, request.received_at), len(request.body), WEIGHT, reply)


def _counted(error: ApiError, client: str) -> ApiError:
    """The error, of an invalid token after it was counted. Raises TooManyRequests where the address failed too often.

    A good token does not come here: a meter that tries its spent one for ever keeps nobody else of its site out.
    """
    if isinstance(error, InvalidToken):
        FAILED_CLAIMS.hit(limit_key(client))
    return error


CLAIM: Final = DeviceRoute("devices/claim", {"POST": claim}, is_open=True, asks_limits=True)
