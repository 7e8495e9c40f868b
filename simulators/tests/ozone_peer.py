"""The other end of the wire of Ozone machines, with the operator's side: honest, or lying where it is told to.

It gives every handshake a new token (who may have one is the product's business), checks tokens, and does with
events and commands what the contract says, with short times.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

from simulators.tests.peer import Answer, Peer

RESULT_SECONDS = 0.6
REBOOT_SECONDS = 0.1
REPEATABLE = ("GET_STATUS", "SYNC_TIME", "UPDATE_SETTINGS")
PAGE = 7  # smaller than any `limit` asked for, so that reading back has to follow the Link header
TREATMENTS = ("BASIC", "STANDARD", "PREMIUM")


@dataclass
class Box:
    """What the server knows of one machine."""

    mac: str
    names: list[str]
    token: str = ""
    assigned: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("basic", "standard", "premium"), 0))
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)  # by body
    commands: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class OzonePeer(Peer):
    """`on_event(n, box)` is asked at the n-th event request (from 1): "lose" acknowledges without storing, "double"
    stores twice, "hang up" stores and gives no reply, a number is a status in its place, "" is honest."""

    on_event: Callable[[int, Box], str | int] = lambda number, box: ""
    has_outlets: bool = True
    wrong_counts: bool = False
    deaf: bool = False  # delivers commands and never believes a result
    boxes: dict[str, Box] = field(default_factory=dict)
    events: int = 0
    handshakes: list[dict[str, Any]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    def box(self, name: str) -> Box:
        return next(box for box in self.boxes.values() if name in (box.mac, *box.names))

    def answer(self, method: str, target: str, bearer: str, body: bytes) -> Answer:
        path, _, query = target.partition("?")
        said = json.loads(body) if body else {}
        device = parse_qs(query).get("device_id", [""])[0]
        match [method, *path.strip("/").split("/")]:
            case ["POST", "api", "handshake"]:
                return self.handshake(said)
            case ["POST", "api", "device", "events"] if isinstance(said, list):
                replies = [self.event(bearer, event, json.dumps(event)) for event in said]
                worst = max(replies, key=lambda reply: reply[0] if reply else 0)
                return (200, {}, {"ack": True}) if worst and worst[0] == 200 else worst
            case ["POST", "api", "device", "events"]:
                return self.event(bearer, said, body.decode())
            case ["GET", "healthz"]:
                return 200, {"Date": formatdate(usegmt=True)}, {}
            case ["GET", "api", "device", name, "commands"]:
                return self.poll(bearer, name)
            case ["POST", "api", "device", name, "commands", "create"] if bearer == "staff":
                return 201, {}, {"status": "created", "command_id": self.command(self.box(name), said)}
            case ["GET", "api", "device", name, "commands", "status"] if bearer == "staff":
                return self.command_status(self.box(name))
            case ["POST", "api", "device", name, "commands", command_id]:
                return self.result(bearer, name, command_id, said)
            case ["POST", "api", "commands", "bulk"] if bearer == "staff":
                made = [
                    {"command_id": self.command(self.box(name), said), "device_id": name} for name in said["device_ids"]
                ]
                return 201, {}, {"created_count": len(made), "failed_count": 0, "created_commands": made}
            case ["POST", "api", "outlets"] if bearer == "staff" and self.has_outlets:
                return 201, {}, {"id": 1}
            case ["POST", "api", "machines", "register"] if bearer == "staff":
                self.machines.append(said)
                self.box(said["device_id"]).assigned = True
                return 201, {}, {"id": len(self.machines)}
            case ["PATCH", "api", "devices", name] if bearer == "staff":
                box = self.box(name)
                box.assigned = said.get("assigned", box.assigned)
                box.names += [said["device_id"]] if "device_id" in said else []
                return 200, {}, {}
            case ["GET", "api", "devices", name, "quarantine"] if bearer == "staff":
                return 200, {}, {"quarantined": list(self.box(name).refused.values())}
            case ["POST", "api", "devices", name, "quarantine", number, verb] if bearer == "staff":
                return self.let_go(self.box(name), int(number), verb, said)
            case ["GET", "api", "events"] if bearer == "staff":
                rows, skip = self.box(device).rows[::-1], int(parse_qs(query).get("before", ["0"])[0])
                more = f'<{self.url}{path}?device_id={device}&before={skip + PAGE}>; rel="next"'
                return 200, {"Link": more} if skip + PAGE < len(rows) else {}, rows[skip : skip + PAGE]
            case ["GET", "api", "telemetry", "summary"] if bearer == "staff":
                counts = self.box(device).counts
                return 200, {}, {"counts": {**counts, "basic": counts["basic"] + self.wrong_counts}}
        return super().answer(method, target, bearer, body)

    # --- the machines' side ---

    def handshake(self, said: dict[str, Any]) -> Answer:
        self.handshakes.append(said)
        mac = said["mac"].upper().replace("-", ":")
        box = self.boxes.setdefault(mac, Box(mac, [mac]))
        box.token = secrets.token_hex(8)
        return 200, {}, {"device_id": box.names[-1], "token": box.token, "assigned": box.assigned}

    def allowed(self, bearer: str, name: str) -> Box | None:
        for box in self.boxes.values():
            if bearer and box.token == bearer and box.assigned and name in (box.mac, *box.names):
                return box
        return None

    def event(self, bearer: str, said: dict[str, Any], body: str) -> Answer:
        self.events += 1
        named = said.get("device_id") or next((box.mac for box in self.boxes.values() if box.token == bearer), "")
        box = self.allowed(bearer, named)
        if box is None:
            return 401, {}, {"detail": "Who are you?", "code": "unauthorized"}
        fault = self.on_event(self.events, box)
        if isinstance(fault, int):
            return fault, {}, {"detail": "Not now.", "code": "trouble"}
        if said["treatment"] not in TREATMENTS:
            row = {"id": len(box.refused) + 1, "body": body, "reason": "treatment", "code": "invalid", "state": "open"}
            if box.refused.setdefault(body, row)["state"] == "open":
                return 400, {}, {"detail": "The event is not valid.", "code": "invalid"}
        elif fault != "lose":
            for _ in range(2 if fault == "double" else 1):
                self.store(box, said, again=fault == "double")
        return None if fault == "hang up" else (200, {}, {"ack": True, "event_id": said["event_id"]})

    def store(self, box: Box, said: dict[str, Any], *, again: bool = False) -> None:
        if not again and any(row["event_id"] == said["event_id"] for row in box.rows):
            return
        ts = said["ts"]
        row = {"device_timestamp": ts, "occurred_at": ts if "T" in ts else ts.replace(" ", "T") + "Z"}
        row |= {
            "clock_suspect": ts.startswith("2025-01-01T"),
            **{name: said[name] for name in ("event_id", "treatment", "counter")},
        }
        box.rows.append(row)
        box.counts |= said.get("current_counters") or {said["treatment"].lower(): said["counter"]}

    def poll(self, bearer: str, name: str) -> Answer:
        box = self.allowed(bearer, name)
        if box is None:
            return 401, {}, {"detail": "Who are you?", "code": "unauthorized"}
        due = []
        for command in box.commands:
            age = time.monotonic() - command["sent_at"]
            if command["status"] == "pending" or (
                command["status"] == "sent" and age > RESULT_SECONDS and command["command_type"] in REPEATABLE
            ):
                command |= {"status": "sent", "sent_at": time.monotonic()}
                due.append({"id": command["command_id"], "payload": {}, **command})
            elif command["status"] == "sent" and command["command_type"] == "REBOOT_DEVICE" and age > REBOOT_SECONDS:
                command["status"] = "executed"
        return 200, {}, {"commands": due, "count": len(due), "device_id": box.names[-1], "timestamp": ""}

    def result(self, bearer: str, name: str, command_id: str, said: dict[str, Any]) -> Answer:
        box = self.allowed(bearer, name)
        if box is None:
            return 401, {}, {"detail": "Who are you?", "code": "unauthorized"}
        self.results.append(said)
        if not self.deaf:
            command = next(command for command in box.commands if command["command_id"] == command_id)
            command["status"] = "executed" if said["success"] else "failed"
            box.counts |= said["current_counters"]
        return 200, {}, {"status": "updated", "command_id": command_id, "success": said["success"]}

    # --- the operator's side ---

    def command(self, box: Box, said: dict[str, Any]) -> str:
        command_id = secrets.token_hex(8)
        fields = {"command_type": said["command_type"], "status": "pending", "sent_at": 0.0}
        box.commands.append({"command_id": command_id, **fields})
        return command_id

    def command_status(self, box: Box) -> Answer:
        for command in box.commands:
            overdue = time.monotonic() - command["sent_at"] > RESULT_SECONDS
            if command["status"] == "sent" and overdue and command["command_type"] not in REPEATABLE:
                command["status"] = "timeout"
        states = [command["status"] for command in box.commands]
        stats = {state: states.count(state) for state in ("pending", "sent", "executed", "failed", "timeout")}
        return 200, {}, {"stats": {"total": len(states), **stats}, "recent_commands": box.commands[-10:]}

    def let_go(self, box: Box, number: int, verb: str, said: dict[str, Any]) -> Answer:
        row = next(row for row in box.refused.values() if row["id"] == number)
        row["state"] = f"{verb}ed"
        if verb == "accept":
            self.store(box, said["event"])
        return 200, {}, {"status": f"{verb}ed"}
