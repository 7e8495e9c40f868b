"""What Ozone machines say: handshake, events, the legacy form. One handler each, for both doors."""

from typing import Any, Final

from device_gateway.enrolment.services import Enrolled
from device_gateway.gate import Call, DeviceRoute, Write
from device_gateway.keys.identity import Identity
from device_gateway.names import NO_MAC, normal_mac
from ozone.wire import bodies, jsonio
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Forbidden, Invalid, NotFound, Unauthorized, WrongContentType
from ozone.wire.http import NO_STORE, Reply, Request
from ozone.wire.limits import Limit
from telemetry.commands.polling import also_waiting
from telemetry.device_side import services
from telemetry.device_side.legacy import read_form, read_legacy
from telemetry.device_side.storing import EVENTS, Stored
from telemetry.events.payloads import Parsed, read_events
from telemetry.events.storing import EventArrival
from telemetry.statuses.payloads import MAX_FIRMWARE, NO_FIRMWARE

_HANDSHAKES: Final = Limit(
    "handshakes", lambda: options().LIMIT_HANDSHAKES, "Too many handshakes from this address.", flows=True
)
_LEGACY: Final = Limit(
    "legacy", lambda: options().LIMIT_LEGACY, "Too many messages from this address.", flows=True, is_own=True
)
_FORM: Final = "application/x-www-form-urlencoded"


def handshake(request: Request) -> Call:
    """A MAC for a device_id and a token, where the device may have one."""
    _HANDSHAKES.hit(limit_key(request.client))
    bodies.require_json(request.body, request.headers)
    body = _object(request.body)
    mac, firmware = body.get("mac"), body.get("firmware")
    normal = normal_mac(mac) if isinstance(mac, str) else None
    if normal is None:
        raise Invalid("mac is not a MAC address.", errors={"mac": [NO_MAC]})
    if firmware is not None and (not isinstance(firmware, str) or len(firmware) > MAX_FIRMWARE):
        raise Invalid("firmware is not valid.", errors={"firmware": [NO_FIRMWARE]})
    arguments = {
        "mac": normal,
        "firmware": firmware or "",
        "presented": request.bearer(),
        "client": request.client,
        "now": request.received_at,
    }
    return Call(services.handshake, arguments, _enrolled)


def _enrolled(enrolled: Enrolled) -> Reply:
    if enrolled.token is None:
        raise Forbidden(
            "This device is assigned and has a token. An operator can allow its re-enrolment.",
            code="reenrolment_required",
        )
    device = enrolled.device
    reply = {"device_id": device.device_id, "token": enrolled.token, "assigned": device.assigned}
    return Reply.json(200, reply, NO_STORE)


def events(request: Request, identity: Identity) -> Write:
    """A press or a batch of them, each stored once."""
    bodies.require_json(request.body, request.headers)
    parsed = read_events(request.body, identity, request.received_at)

    def reply(stored: Stored) -> Reply:
        return _of_batch(parsed, stored) if parsed.is_batch else _of_one(parsed, stored)

    arrival = EventArrival(identity.pk, request.received_at, parsed.events, parsed.refused)
    # One that is refused is written, and another one makes room for it.
    rows = len(parsed.order) + len(parsed.refused)
    return Write(EVENTS, arrival, len(request.body), rows, reply)


def _of_one(parsed: Parsed, stored: Stored) -> Reply:
    event_id, place = parsed.order[0]
    if place is not None and not stored.decided[place]:
        raise parsed.refused[place].error
    return Reply.json(200, {"ack": True, "event_id": event_id, **also_waiting(stored.waiting)})


def _of_batch(parsed: Parsed, stored: Stored) -> Reply:
    results: list[dict[str, Any]] = []
    for event_id, place in parsed.order:
        if place is None or stored.decided[place]:
            results.append({"event_id": event_id, "ack": True})
        else:
            error = parsed.refused[place].error
            results.append({"event_id": event_id, "ack": False, "detail": error.detail, "code": error.code})
    ack = all(result["ack"] for result in results)
    return Reply.json(200, {"ack": ack, "results": results, **also_waiting(stored.waiting)})


def legacy(request: Request) -> Call:
    """A press or a status message of a machine that knows no token."""
    policy = options().LEGACY_INGEST or ("on" if options().DEBUG else "assigned")
    if policy == "off":
        raise NotFound
    _LEGACY.hit(limit_key(request.client))
    jsonio.require_some(request.body)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM or (not kind and not request.body.lstrip().startswith(b"{")):
        fields = read_form(request.body)
    else:
        try:
            bodies.require_json(request.body, request.headers)
        except WrongContentType:
            raise WrongContentType(f"Send the message as {_FORM}, or as application/json (UTF-8).") from None
        fields = _object(request.body)
    message = read_legacy(fields, request.received_at)

    def reply(number: int) -> Reply:
        return Reply.json(200, {"status": "ok", "id": number})

    return Call(services.take_legacy, {"message": message, "policy": policy, "now": request.received_at}, reply)


def _object(body: bytes) -> dict[str, Any]:
    jsonio.require_some(body)
    value = jsonio.decode(body)
    if type(value) is not dict:
        raise Invalid("Send a JSON object.", code="not_an_object")
    return value


HANDSHAKE: Final = DeviceRoute("handshake", {"POST": handshake}, is_open=True, asks_limits=True)
DEVICE_EVENTS: Final = DeviceRoute("device/events", {"POST": events}, unassigned=Unauthorized)
EVENTS_ALIAS: Final = DeviceRoute("events", {"POST": events}, unassigned=Unauthorized, other_methods=["GET", "HEAD"])
LEGACY: Final = DeviceRoute("iot", {"POST": legacy}, is_open=True)
