"""One Ozone machine as its firmware behaves: an EEPROM, a queue in flash, one thing at a time over the network.

It shakes hands when it holds no name or token, and again when a poll or a report gets a 401. Any 2xx pops the oldest
event off the queue, anything else keeps it there. A restart forgets the clock, the delay and what was not reported.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.client import NoAnswer, Reply
from simulators.network import Network
from simulators.ozone_records import TREATMENTS, Command, Fate, OzoneOptions, Press, Records

DEVICE_TIMEOUT = 5.0  # the firmware hangs up then
FIRST_DELAY, LONGEST_DELAY = 2.0, 300.0  # seconds until an event is tried again; doubling, ±20 %
BOOT_SECONDS = (1.5, 4.0)
ID_CHARACTERS, TOKEN_CHARACTERS = 63, 127  # what the EEPROM holds; more is cut silently
FIRMWARE = "1.4.2"
SPOILED = "DELUXE"  # no treatment: the server refuses it
SPOILED_EVERY, FIRST_SPOILED = 1000, 20  # on a hostile run one press in so many is spoiled
BLIND_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)  # what a clock that was never set counts from

compact = json.JSONEncoder(separators=(",", ":")).encode


class Eeprom:
    """Name and token, cut to their places."""

    device_id = ""
    token = ""

    def save(self, device_id: str, token: str) -> None:
        self.device_id, self.token = device_id[:ID_CHARACTERS], token[:TOKEN_CHARACTERS]

    def wipe(self) -> None:
        self.device_id = self.token = ""

    @property
    def wants_handshake(self) -> bool:
        return not self.device_id or not self.token or self.device_id.startswith("pending-")


class Machine:
    """One machine. `known_as`: its name at the server, which the operator may change behind its back. `unheard`: the
    numbers of resets whose result nobody acknowledged."""

    def __init__(self, options: OzoneOptions, records: Records, number: int) -> None:
        self.number = number
        self.mac = ":".join(f"{octet:02X}" for octet in (0x02, *os.urandom(5)))  # locally administered
        self.known_as = self.mac
        self.eeprom = Eeprom()
        self.enrolled = asyncio.Event()
        self.queue: deque[Press] = deque()
        self.presses: list[Press] = []
        self.withheld: list[Press] = []
        self.counters = dict.fromkeys(TREATMENTS, 0)
        self.resets = 0
        self.unheard: set[int] = set()
        self.commands: dict[str, Command] = {}
        self.polled_at = 0.0
        self.presses_by_itself = True
        self._options = options
        self._records = records
        self._chance = random.Random(None if options.seed is None else f"{options.seed}/{number}")
        self.network = Network(
            options.endpoint,
            self._chance,
            records.weather,
            timeout=DEVICE_TIMEOUT,
            overheard=lambda reply: records.note("unseen", reply),
        )
        clock = self._chance.random() if options.hostile else 0.0
        self._has_clock = clock < 0.8  # one that runs on through restarts; others ask the network, or never know
        self._clock_from = self._chance.uniform(5, 60) / options.time_scale if clock < 0.95 else float("inf")
        self._clock_set = False
        self._booted = 0.0
        self._radio = asyncio.Lock()  # the firmware does one thing at a time
        self._queued = asyncio.Event()
        self._unplugged = asyncio.Event()

    @property
    def is_plain(self) -> bool:
        """Nothing has happened that may set the server's counters apart from the machine's for a while."""
        return self.resets == 0 and not any(
            press.blind or press.spoiled or press.was_withheld or press.fate is Fate.CLEARED for press in self.presses
        )

    # --- a machine's life ---

    async def run(self) -> None:
        """Power on, and stay on until cancelled."""
        options = self._options
        await asyncio.sleep(self._chance.uniform(0, min(10.0, options.poll_seconds)) / options.time_scale)
        try:
            while True:
                self._booted = time.monotonic()
                self._clock_set = self._has_clock
                self._unplugged.clear()
                await until_one_ends(
                    self._press_forever(), self._send_forever(), self._poll_until_restart(), self._unplugged.wait()
                )
                self.network.close()
                self._records.restarts += 1
                await asyncio.sleep(self._chance.uniform(*BOOT_SECONDS) / options.time_scale)
        finally:
            self.network.close()

    async def suffer(self) -> None:
        """Power cuts and outages of the network at random, two in a run on average; until cancelled."""
        seconds = self._options.seconds
        while True:
            await asyncio.sleep(self._chance.expovariate(2 / seconds))
            if self._chance.random() < 0.5:
                self._unplugged.set()
            else:
                self._records.outages += 1
                self.network.go_offline(seconds * self._chance.uniform(0.05, 0.25))

    # --- presses and their queue ---

    async def _press_forever(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(self._options.presses_per_minute / 60))
            if self.presses_by_itself:
                self.press()

    def press(self, *, all_counters: bool | None = None, treatment: str | None = None) -> None:
        """Somebody presses a button. `all_counters`: with current_counters or without; None: as it happens."""
        treatment = treatment or self._chance.choice(TREATMENTS)
        self.counters[treatment] += 1
        counter = self.counters[treatment]
        uptime = int(time.monotonic() - self._booted)
        told = datetime.now(UTC).replace(microsecond=0) if self._clock_set else BLIND_EPOCH + timedelta(seconds=uptime)
        local = told + timedelta(hours=self._options.utc_offset)
        self._records.presses += 1
        spoiled = self._records.weather.hostile and self._records.presses % SPOILED_EVERY == FIRST_SPOILED
        name = self.eeprom.device_id or f"pending-{self.mac.replace(':', '')}"
        body: dict[str, Any] = {
            "firmware": FIRMWARE,
            "event_id": f"{name}-{treatment[0]}{self.resets:03}{uptime:08}{counter:06}",
            "event": "treatment",
            "treatment": SPOILED if spoiled else treatment,
            "counter": counter,
            "ts": local.strftime("%Y-%m-%d %H:%M:%S") if self._clock_set else told.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "wifi_status": f"RSSI:-{self._chance.randint(40, 90)}",
            "wifi_connected": True,
            "rtc_available": self._has_clock,
            "uptime_seconds": uptime,
        }
        if all_counters or (all_counters is None and self._chance.random() < 0.5):
            body["current_counters"] = self._current_counters()
        press = Press(body["event_id"], treatment, counter, body, told, not self._clock_set, spoiled, self.resets)
        self.presses.append(press)
        may_wait = self._options.withhold and self.presses_by_itself and not spoiled
        # What has no time of its own goes by its place in the queue, which says nothing when one comes out of turn.
        may_wait = may_wait and not any(press.blind for press in self.presses)
        if may_wait and self._chance.random() < self._options.withhold:
            press.fate, press.was_withheld = Fate.WITHHELD, True
            self.withheld.append(press)
            return
        self.queue.append(press)
        self._queued.set()

    def send_withheld(self) -> None:
        """Late, and after what was pressed later."""
        for press in self.withheld:
            press.fate = Fate.QUEUED
        self.queue.extend(self.withheld)
        self.withheld.clear()
        self._queued.set()

    def _current_counters(self) -> dict[str, int]:
        return {treatment.lower(): count for treatment, count in self.counters.items()}

    async def _send_forever(self) -> None:
        failures = 0
        while True:
            await self._queued.wait()
            async with self._radio:
                is_gone = await self._send_oldest()
            failures = 0 if is_gone else failures + 1
            if failures:
                delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 10)) * self._chance.uniform(0.8, 1.2)
                await asyncio.sleep(delay / self._options.time_scale)

    async def _send_oldest(self) -> bool:
        """False: it stays at the head of the queue."""
        if not self.queue:
            self._queued.clear()
            return True
        if not self.eeprom.token:
            return False
        oldest = self.queue[0]
        body = compact({"device_id": self.eeprom.device_id, **oldest.body}).encode()
        began = time.monotonic()
        reply = await self._ask("event", self._post("/api/device/events/", body))
        if reply is not None and 200 <= reply.status < 300:
            self._records.latencies.add(time.monotonic() - began)
            oldest.fate = Fate.ACKNOWLEDGED
            self.queue.popleft()
            return True
        if reply is not None and reply.status == 400:
            self._records.blocked.add(self.number)
            if not oldest.spoiled:
                self._records.complain("event", reply)
        return False

    # --- handshake, polls and commands ---

    async def _poll_until_restart(self) -> None:
        async with self._radio:
            if self.eeprom.wants_handshake:
                await self._shake_hands()
        while True:
            await asyncio.sleep(self._options.poll_seconds / self._options.time_scale)
            async with self._radio:
                if await self._poll():
                    return

    async def _poll(self) -> bool:
        """True: a command restarts the machine."""
        if self.eeprom.wants_handshake and not await self._shake_hands():
            return False
        reply = await self._ask_with_token(
            "poll", lambda: self._get(f"/api/device/{self.eeprom.device_id}/commands/"), may_come_late=True
        )
        if reply is None or reply.status != 200:
            return False
        self.polled_at = time.monotonic()
        if self.polled_at - self._booted > self._clock_from:
            self._clock_set = True
        for command in _object(reply).get("commands", []):
            if await self._obey(command):
                return True
        return False

    async def _shake_hands(self) -> bool:
        mac = (self.mac, self.mac.lower(), self.mac.replace(":", "-"))[self.number % 3]
        body = compact({"mac": mac, "firmware": FIRMWARE}).encode()
        reply = await self._ask("handshake", self._options.endpoint.post("/api/handshake/", body, bearer=""))
        answer = _object(reply) if reply is not None else {}
        device_id, token = answer.get("device_id"), answer.get("token")
        if not (isinstance(device_id, str) and device_id and isinstance(token, str) and token):
            return False  # whatever its status was
        self.eeprom.save(device_id, token)
        self.enrolled.set()
        return True

    async def _obey(self, item: dict[str, Any]) -> bool:
        """Do what a command says and report it. True: the machine restarts."""
        command_id, kind = item.get("command_id"), str(item.get("command_type"))
        if not command_id or command_id == "null":
            return False
        command = self.commands.setdefault(str(command_id), Command(kind))
        command.deliveries += 1
        if kind == "REBOOT_DEVICE":
            return True
        if kind == "CLEAR_MEMORY":
            if self._chance.random() < 0.5:
                await self._report(str(command_id), command, success=True)
            self.eeprom.wipe()
            return True
        if kind == "RESET_COUNTERS":
            self.counters = dict.fromkeys(TREATMENTS, 0)
            self.resets += 1
            self.unheard.add(self.resets)
        elif kind == "CLEAR_QUEUE":
            for press in self.queue:
                press.fate = Fate.CLEARED
            self.queue.clear()
        elif kind == "SYNC_TIME":
            self._clock_set = True
        await self._report(str(command_id), command, success=kind != "UPDATE_FIRMWARE")
        if kind == "RESET_COUNTERS" and command.reported:
            self.unheard.discard(self.resets)
        return False

    async def _report(self, command_id: str, command: Command, *, success: bool) -> None:
        """Tell the result, once: a report that gets no answer is forgotten."""
        uptime = time.monotonic() - self._booted
        result: dict[str, Any] = {
            "success": success,
            "message": f"{command.kind} {'done' if success else 'is not supported'}",
            "timestamp": int(uptime * 1000),
            "current_counters": self._current_counters(),
        }
        if command.kind == "GET_STATUS":
            result["response_data"] = {"free_heap": 181_204, "queued": len(self.queue)}
            result |= {"wifi_connected": True, "rtc_available": self._has_clock, "uptime_seconds": int(uptime)}
        body = compact(result).encode()
        # A copy that came late would tell counters of the past.
        reply = await self._ask_with_token(
            "result",
            lambda: self._post(f"/api/device/{self.eeprom.device_id}/commands/{command_id}/", body),
            may_come_late=False,
        )
        if reply is not None and 200 <= reply.status < 300:
            command.reported = success

    async def _ask_with_token(self, kind: str, build: Callable[[], bytes], *, may_come_late: bool) -> Reply | None:
        """As `_ask`; a 401 is answered with a handshake, and the request made once more."""
        reply = await self._ask(kind, build(), may_come_late=may_come_late)
        if reply is not None and reply.status == 401 and await self._shake_hands():
            reply = await self._ask(kind, build(), may_come_late=may_come_late)
        return reply

    async def _ask(self, kind: str, request: bytes, *, may_come_late: bool = True) -> Reply | None:
        """The reply; None when there was none."""
        try:
            reply = await self.network.exchange(request, may_come_late=may_come_late)
        except NoAnswer:
            self._records.unanswered[kind] += 1
            return None
        self._records.note(kind, reply)
        return reply

    def _post(self, path: str, body: bytes) -> bytes:
        return self._options.endpoint.post(path, body, bearer=self.eeprom.token)

    def _get(self, path: str) -> bytes:
        return self._options.endpoint.get(path, bearer=self.eeprom.token)


async def until_one_ends(*work: Coroutine[Any, Any, object]) -> None:
    """Run all until the first ends; the others are cancelled then. Raises what the first raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object in a reply; {} for anything else."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
