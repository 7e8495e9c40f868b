"""OpenAPI of the Ozone machines' device routes."""

from typing import Any, Final

from ozontelemetry.openapi.describe import OBJECT, body, errors, reply

_TEXT: Final = {"type": "string"}
_TRUE: Final = {"type": "boolean"}
_COUNTER: Final = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_COUNTERS: Final = {
    "type": "object",
    "nullable": True,
    "required": ["basic", "standard", "premium"],
    "properties": {"basic": _COUNTER, "standard": _COUNTER, "premium": _COUNTER},
}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_VITALS: Final = {
    "reset_reason": {"type": "string", "maxLength": 64},
    "rssi": {"type": "integer", "description": "dBm"},
    "free_heap": {**_WHOLE, "description": "Bytes"},
    "queue_length": _WHOLE,
}
_FIRMWARE: Final = {"type": "string", "maxLength": 64}
_SAID: Final = {"firmware": _FIRMWARE, **_VITALS}
_WAITING: Final = {**_WHOLE, "description": "Commands that are pending for the device, where there are any"}
_EVENT: Final = {
    "type": "object",
    "required": ["event_id", "event", "treatment", "counter"],
    "properties": {
        "event_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "event": {"type": "string", "enum": ["treatment"]},
        "treatment": {"type": "string", "enum": ["BASIC", "STANDARD", "PREMIUM"]},
        "counter": _COUNTER,
        "device_id": _TEXT,
        "firmware": _FIRMWARE,
        "ts": {"description": "ISO 8601, epoch seconds, or YYYY-MM-DD HH:MM:SS in DEVICE_TIME_ZONE"},
        "current_counters": _COUNTERS,
        **_VITALS,
    },
    "additionalProperties": True,
}
_EVENTS: Final = {"type": "array", "maxItems": 500, "items": _EVENT}
_ACK: Final = {
    "type": "object",
    "required": ["event_id", "ack"],
    "properties": {
        "event_id": {"type": "string", "nullable": True},
        "ack": _TRUE,
        "detail": _TEXT,
        "code": _TEXT,
    },
}
_COMMAND: Final = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "command_id", "command_type", "priority", "description")}
    | {
        "payload": OBJECT,
        "created_at": {"type": "string", "format": "date-time"},
        "expires_at": {"type": "string", "format": "date-time"},
    },
}


def _in_path(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


_HANDSHAKE: Final = {
    "operationId": "handshake",
    "summary": "A MAC for a device_id and a token, where the device may have one.",
    "tags": ["device"],
    "requestBody": body({"type": "object", "required": ["mac"], "properties": {"mac": _TEXT, "firmware": _FIRMWARE}}),
    "responses": {
        "200": reply("Enrolled.", {"device_id": _TEXT, "token": _TEXT, "assigned": _TRUE}),
        **errors(400, 403, 405, 408, 413, 415, 429, 503),
    },
}


def _taking_events(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "An event, or up to 500 in an array or `{events: […]}`; each is stored once. 200: stored.",
        "tags": ["device"],
        "security": [{"deviceKey": []}],
        "requestBody": body({"oneOf": [_EVENT, _EVENTS, {"type": "object", "properties": {"events": _EVENTS}}]}),
        "responses": {
            "200": reply(
                "Committed. `event_id` for one event, `results` for a batch.",
                {
                    "ack": _TRUE,
                    "event_id": {"type": "string", "nullable": True},
                    "results": {"type": "array", "items": _ACK},
                    "commands": _WAITING,
                },
                optional=("event_id", "results", "commands"),
            ),
            **errors(400, 401, 403, 405, 408, 413, 415, 429, 503),
        },
    }


_LEGACY: Final = {
    "operationId": "iot",
    "summary": "A press or a status message of a machine that knows no token.",
    "tags": ["device"],
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "object", "required": ["mode", "macaddr"], "additionalProperties": True}}
            for kind in ("application/x-www-form-urlencoded", "application/json")
        },
    },
    "responses": {
        "200": reply("Committed.", {"status": {"type": "string", "enum": ["ok"]}, "id": {"type": "integer"}}),
        **errors(400, 403, 404, 405, 408, 413, 415, 429, 503),
    },
}
_POLL: Final = {
    "operationId": "poll",
    "summary": "The commands that are the device's to do now, marked sent; held for `wait` seconds if there is none.",
    "tags": ["device"],
    "security": [{"deviceKey": []}],
    "parameters": [
        *_in_path("device_id"),
        {"name": "wait", "in": "query", "schema": {"type": "number", "minimum": 0, "maximum": 30}},
        *({"name": name, "in": "query", "schema": schema} for name, schema in _SAID.items()),
    ],
    "responses": {
        "200": reply(
            "The commands.",
            {
                "commands": {"type": "array", "items": _COMMAND},
                "count": {"type": "integer"},
                "device_id": _TEXT,
                "timestamp": {"type": "string", "format": "date-time"},
            },
        ),
        **errors(400, 401, 403, 405, 429, 503),
    },
}
_REPORT: Final = {
    "operationId": "report",
    "summary": "What the device made of a command.",
    "tags": ["device"],
    "security": [{"deviceKey": []}],
    "parameters": _in_path("device_id", "command_id"),
    "requestBody": body(
        {
            "type": "object",
            "required": ["success"],
            "properties": {"success": _TRUE, "response_data": {}, "current_counters": _COUNTERS, **_VITALS},
            "additionalProperties": True,
        }
    ),
    "responses": {
        "200": reply(
            "Committed.",
            {
                "status": {"type": "string", "enum": ["updated"]},
                "command_id": _TEXT,
                "success": _TRUE,
                "commands": _WAITING,
            },
            optional=("commands",),
        ),
        **errors(400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 503),
    },
}

MACHINE_PATHS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "/api/handshake": {"post": _HANDSHAKE},
    "/api/device/events": {"post": _taking_events("device_events")},
    "/api/events": {"post": _taking_events("events")},
    "/api/iot": {"post": _LEGACY},
    "/api/device/{device_id}/commands": {"get": _POLL},
    "/api/device/{device_id}/commands/{command_id}": {"post": _REPORT},
}
