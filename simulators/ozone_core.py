"""Ozone machines with the real core: what `simulate ozone --core` runs on the same network, with the same verdict."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from simulators import ozone_machine
from simulators.client import NoAnswer, Reply
from simulators.core import Core, Obey
from simulators.ozone_machine import BOOT_SECONDS, Machine, until_one_ends
from simulators.ozone_records import TREATMENTS, Command, Fate, OzoneOptions, Press, Records

FIRMWARE = "core-0.1.0"
IDLE_SECONDS = 0.05  # between two looks of a machine that waits
DATED_WITHIN = 2.0  # seconds
PASSED_ON = ("content-length", "transfer-encoding", "connection")  # headers that are of another connection

_Key = tuple[int, int]


class CoreMachine(Machine):
    """A machine whose firmware is the core. It keeps its queue through restarts."""

    def __init__(self, options: OzoneOptions, records: Records, number: int) -> None:
        super().__init__(options, records, number)
        scale = options.time_scale
        self._clockless = options.hostile and scale == 1.0 and self._chance.random() < 0.2
        self._keys: dict[str, _Key] = {}
        self._pressed: dict[str, float] = {}  # when, by our clock
        self._core = Core(
            (options.endpoint.host, options.endpoint.port),
            self.mac,
            FIRMWARE,
            poll_ms=int(options.poll_seconds * 1000),
            timeout_ms=int(2000 * ozone_machine.DEVICE_TIMEOUT * scale),
            obey=Obey(self._carry_out),
            seed=self._chance.randrange(1, 2**31),
        )
        self._core.begin(self._now(), self._utc())
        self.eeprom = _Enrolment(self._core)

    def _now(self) -> int:
        return int(time.monotonic() * self._options.time_scale * 1000)

    def _utc(self) -> int:
        return 0 if self._clockless else int(time.time())

    async def run(self) -> None:
        """Power on, and stay on until cancelled."""
        options = self._options
        await asyncio.sleep(self._chance.uniform(0, min(10.0, options.poll_seconds)) / options.time_scale)
        try:
            while True:
                self._core.begin(self._now(), self._utc())
                self._core.count(self._told_counters())
                self._unplugged.clear()
                await until_one_ends(self._press_forever(), self._work_until_restart(), self._unplugged.wait())
                self.network.close()
                self._records.restarts += 1
                await asyncio.sleep(self._chance.uniform(*BOOT_SECONDS) / options.time_scale)
        finally:
            self.network.close()

    def press(self, *, all_counters: bool | None = None, treatment: str | None = None) -> None:
        """Somebody presses a button; what the core does not take was no press."""
        treatment = treatment or self._chance.choice(TREATMENTS)
        with_all = all_counters or (all_counters is None and self._chance.random() < 0.5)
        before = dict(self.counters)
        self.counters[treatment] += 1
        counter = self.counters[treatment]
        told = self._told_counters()
        if not self._core.press(
            TREATMENTS.index(treatment), counter, told if with_all else None, self._now(), self._utc()
        ):
            self.counters = before
            return
        self._core.count(told)
        last, _, nonce = self._core.keys()
        event_id = f"{nonce}-{last[0]}-{last[1]}"
        self._records.presses += 1
        self._keys[event_id], self._pressed[event_id] = last, time.time()
        now = datetime.now(UTC)
        press = Press(event_id, treatment, counter, {"ts": ""}, now, blind=False, spoiled=False, life=self.resets)
        self.presses.append(press)
        self.queue.append(press)

    def _told_counters(self) -> list[int]:
        return [self.counters[treatment] for treatment in TREATMENTS]

    def _carry_out(self, command_type: bytes) -> bool:
        """What the core leaves to its sketch."""
        if command_type == b"RESET_COUNTERS":
            self.counters = dict.fromkeys(TREATMENTS, 0)
            self.resets += 1
            self._core.count(self._told_counters())
        return command_type != b"UPDATE_FIRMWARE"

    async def _work_until_restart(self) -> None:
        reply: bytes | None = b""
        while not self._core.restarts:
            self._core.tick(self._now(), self._utc(), reply)
            reply = b""
            if request := self._core.request():
                reply = await self._exchange(request)
            else:
                await asyncio.sleep(IDLE_SECONDS)

    async def _exchange(self, request: bytes) -> bytes | None:
        """The reply as bytes; None when there was none. What it says is looked at as the core gets it."""
        head, _, body = request.partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        kind = _kind(method, path)
        if kind == "event":
            self._look_at_dates(json.loads(body))
        began = time.monotonic()
        try:
            answer = await self.network.exchange(request, may_come_late=kind != "result")
        except NoAnswer:
            self._records.unanswered[kind] += 1
            return None
        self._records.note(kind, answer)
        good = 200 <= answer.status < 300
        if kind == "poll" and good:
            self.polled_at = time.monotonic()
            for item in json.loads(answer.body).get("commands", []):
                self.commands.setdefault(item["command_id"], Command(item["command_type"])).deliveries += 1
        elif kind == "result" and good:
            self.commands[path.rstrip("/").rsplit("/", 1)[1]].reported = json.loads(body)["success"]
        elif kind == "event" and good:
            self._records.latencies.add(time.monotonic() - began)
        self._core.tick(self._now(), self._utc(), _as_bytes(answer))
        self._forget_what_is_done(Fate.CLEARED if kind == "poll" else Fate.ACKNOWLEDGED)
        if good and kind == "handshake":
            self.enrolled.set()
        return b""

    def _look_at_dates(self, told: Any) -> None:
        """What the core dated is what it says from then on."""
        events = {event["event_id"]: event for event in (told if isinstance(told, list) else [told])}
        for press in self.queue:
            event = events.get(press.event_id)
            if event is None:
                continue
            said = event.get("ts", "")
            if press.body["ts"] not in ("", said):
                self._records.complaints["core: a press was dated twice"] += 1
            press.body["ts"] = said
            if said:
                press.told = datetime.fromisoformat(said)
                if abs(press.told.timestamp() - self._pressed[press.event_id]) > DATED_WITHIN:
                    self._records.complaints["core: a press was dated wrongly"] += 1

    def _forget_what_is_done(self, fate: Fate) -> None:
        _, acked, _ = self._core.keys()
        while self.queue and self._keys[self.queue[0].event_id] <= acked:
            self.queue.popleft().fate = fate


class _Enrolment(ozone_machine.Eeprom):
    """The identity on the core's flash, as far as a fleet asks."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def wants_handshake(self) -> bool:
        return not self._core.is_enrolled


def _kind(method: str, path: str) -> str:
    if path.startswith("/api/handshake"):
        return "handshake"
    if path.startswith("/api/device/events"):
        return "event"
    if path.startswith("/healthz"):
        return "time"
    return "poll" if method == "GET" else "result"


def _as_bytes(reply: Reply) -> bytes:
    headers = [f"{name}: {value}" for name, value in reply.headers.items() if name not in PASSED_ON]
    head = "\r\n".join((f"HTTP/1.1 {reply.status} Words", *headers, f"content-length: {len(reply.body)}"))
    return head.encode("latin-1") + b"\r\n\r\n" + reply.body
