"""The ingest, for the front door and for the URLconf alike."""

from typing import Final

from device_gateway.gate import DeviceRoute, Write
from device_gateway.keys.identity import Identity
from device_gateway.readings.payloads import read_readings
from device_gateway.readings.refusals import note_refusal
from device_gateway.readings.storing import READINGS, Arrival
from ozone.wire import bodies
from ozone.wire.errors import ApiError
from ozone.wire.http import Request


def ingest(request: Request, identity: Identity) -> Write:
    """A reading or a batch of them, stored before the reply."""
    try:
        bodies.require_json(request.body, request.headers)
        key = request.headers.get("idempotency-key")
        readings, plain, reply = read_readings(request.body, identity, request.received_at, key)
    except ApiError as error:
        if error.status < 500:
            note_refusal(identity, error, request.received_at)
        raise
    arrival = Arrival(identity.pk, request.received_at, readings, plain)
    return Write(READINGS, arrival, len(request.body), len(readings) + len(plain), reply)


INGEST: Final = DeviceRoute("device-data/ingest", {"POST": ingest})
