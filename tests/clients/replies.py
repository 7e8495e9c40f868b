"""What a server may say to a device: where the fuzzer of the core's reply reader begins."""

import json
from pathlib import Path
from typing import Any

KINDS = (0, 2, 4, 9, 16, 34, 38, 50, 64, 98)
"""First bytes: what the device is, and how the bytes come in (clients/core/host/fuzz.c)."""


def _reply(status: int, body: Any, *headers: str, chunked: bool = False) -> bytes:
    text = json.dumps(body).encode()
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(text)}"
    head = (f"HTTP/1.1 {status} Words", "Date: Fri, 27 Nov 2026 20:01:02 GMT", length, *headers)
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(text[at : at + 30]), text[at : at + 30]) for at in range(0, len(text), 30))
    return "\r\n".join(head).encode() + b"\r\n\r\n" + (pieces + b"0\r\n\r\n" if chunked else text)


def _command(number: int, command_type: str, **payload: Any) -> dict[str, Any]:
    return {"command_id": f"00000000-0000-4000-8000-{number:012}", "command_type": command_type, "payload": payload}


def _commands(*commands: dict[str, Any]) -> dict[str, Any]:
    return {"commands": commands, "count": len(commands), "device_id": "m-1", "timestamp": "2026-11-27T20:01:02Z"}


WELCOME = _reply(200, {"device_id": "m-1", "token": "t" * 43, "assigned": True})
KEY = _reply(
    201, {"device_id": 1, "api_key": "k" * 43, "ingest_url": "http://a/b", "encryption_key_b64": "A" * 43 + "="}
)
ACKED = _reply(200, {"ack": True, "event_id": "07070707-1-1", "commands": 1})
SOME = _reply(
    200,
    {"ack": False, "results": [{"event_id": f"07070707-1-{number}", "ack": number != 2} for number in (1, 2, 3)]},
)
NONE = _reply(200, _commands())
TWO = _reply(
    200,
    _commands(_command(1, "UPDATE_SETTINGS", name='ü "\\ud83d\\ude00"'), _command(2, "REBOOT_DEVICE")),
    chunked=True,
)
THREE = _reply(200, _commands(_command(3, "CLEAR_QUEUE"), _command(4, "CLEAR_MEMORY"), _command(5, "X", a="b" * 3000)))
REPORTED = _reply(200, {"status": "updated", "command_id": "x", "success": True})

CONVERSATIONS = (
    WELCOME + SOME + ACKED + NONE + TWO + REPORTED,
    KEY + _reply(201, {"status": "ok", "accepted": 3}) + _reply(503, {"code": "busy"}, "Retry-After: 3"),
    WELCOME + _reply(400, {"code": "invalid"}) + ACKED + THREE + REPORTED + REPORTED,
    _reply(401, {"code": "not_assigned"}) + WELCOME + _reply(429, {}, "Retry-After: 99999999999") + ACKED,
    WELCOME
    + _reply(400, {"code": "invalid", "detail": "d" * 3000})
    + _reply(409, {"detail": "d" * 3000}, chunked=True),
    _reply(403, {"code": "reenrolment_required"}, "Connection: close") + _reply(403, {"code": "device_archived"}),
    b"HTTP/1.1 100 Continue\r\n\r\n" + WELCOME + _reply(413, {}, chunked=True) + b"HTTP/1.0 200 OK\r\n\r\n{}",
)


def write_seeds(folder: Path) -> list[Path]:
    """A file for each conversation with each kind of device."""
    folder.mkdir()
    files = []
    for number, said in enumerate(CONVERSATIONS):
        for kind in KINDS:
            files.append(folder / f"{number}-{kind}")
            files[-1].write_bytes(bytes([kind]) + said)
    return files
