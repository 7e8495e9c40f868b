"""Charging stations behind one connector, as the partner's system behaves: one account, signed bodies, own retries.

All stations sync at once over a few connections. In every round each station's power banks have wandered on to the
next station. A body is built once and every try signs the same bytes again; only a 200 counts. Some bodies are sent
twice on purpose. At the end the picture the server shows to staff is compared with what was told last.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from simulators.client import Connection, Endpoint, NoAnswer, Reply, retry_delay
from simulators.progress import Row, progress
from simulators.staff import SimulationError, Staff, explain
from simulators.verdict import Latencies

PATH = "/api/internal/stations/data"
TIMEOUT = 10.0  # seconds of the connector's HTTP client
TRIES = 6
REPEAT_EVERY = 10  # one body in ten is sent again
PAGE = 1000


@dataclass(frozen=True, slots=True)
class StationOptions:
    """What to simulate. `rounds`: full syncs of each station; `connections`: the connector's pool."""

    endpoint: Endpoint
    username: str
    password: str
    secret: str
    stations: int
    slots: int
    rounds: int = 1
    connections: int = 32


@dataclass(frozen=True, slots=True)
class StationVerdict:
    """The outcome of a run, as `--json` writes it."""

    stations: int
    slots: int
    rounds: int
    syncs: int  # full syncs acknowledged with 200, repeats not counted
    seconds: float
    rate: float  # syncs a second
    p50_ms: float | None
    p99_ms: float | None
    retries: int
    repeats: int  # bodies sent again on purpose
    repeats_applied: int  # of them, not recognised as repeats
    undelivered: int  # syncs and repeats without a 200 at the end
    refusals: dict[str, int]  # the server's sentence → tries it refused
    wrong_stations: int  # stations whose picture differs from what was told last
    wrong_power_banks: int

    @property
    def failures(self) -> list[str]:
        """Why the run did not pass, a sentence each; empty when it did."""
        counts = {
            "Syncs that were never acknowledged": self.undelivered,
            "Repeats that were applied again": self.repeats_applied,
            "Stations that are not as they were told": self.wrong_stations,
            "Power banks that are not where they were told": self.wrong_power_banks,
        }
        return [f"{words}: {count:,}." for words, count in counts.items() if count]

    def as_json(self) -> dict[str, object]:
        """All fields, with `passed` and `failures`."""
        return {"passed": not self.failures, "failures": self.failures} | dataclasses.asdict(self)


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 over the body followed by the timestamp."""
    return base64.b64encode(hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).digest()).decode()


class Region:
    """What the stations would say in each round. Serial numbers are new in every run."""

    def __init__(self, stations: int, slots: int, begin: int) -> None:
        self.run = f"SIM{os.urandom(4).hex().upper()}"
        self._stations = stations
        self._slots = slots
        self._begin = begin

    def serial(self, station: int) -> str:
        return f"{self.run}-{station:05}"

    def power_banks(self, station: int, number: int) -> dict[int, str]:
        """By slot, the power banks in a station in round `number`: two thirds of the slots hold one."""
        home = (station - number) % self._stations
        return {
            (place + number) % self._slots + 1: f"{self.run}-B{home:05}-{place}"
            for place in range((2 * self._slots + 2) // 3)
        }

    def body(self, station: int, number: int) -> bytes:
        """The full sync of a station in round `number`, as compact JSON."""
        serial, banks = self.serial(station), self.power_banks(station, number)
        battery = self.battery(number)
        message = {
            "type": "full",
            "timestamp": self._begin + number,
            "device": {
                "serial_number": serial,
                "imei": serial,
                "status": "ONLINE",
                "last_heartbeat": time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime()),
                "signal_strength": f"CSQ:{10 + station % 20}",
                "wifi_ssid": "Kiosk Zürich 充电",
            },
            "station": {"total_slots": self._slots},
            "slots": [
                {
                    "slot_number": slot,
                    "status": "OCCUPIED" if slot in banks else "AVAILABLE",
                    "battery_level": battery if slot in banks else 0,
                    "power_bank_serial": banks.get(slot),
                }
                for slot in range(1, self._slots + 1)
            ],
            "power_banks": [
                {"serial_number": bank, "status": "AVAILABLE", "battery_level": battery, "current_slot": slot}
                for slot, bank in banks.items()
            ],
        }
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    @staticmethod
    def battery(number: int) -> int:
        return 20 + 7 * number % 80


class Connector:
    """The partner's system: sends the bodies of all stations over its connections."""

    def __init__(self, options: StationOptions, staff: Staff, console: Console) -> None:
        self.options = options
        self.region = Region(options.stations, options.slots, int(time.time()) - options.rounds)
        self.syncs = self.retries = self.repeats = self.repeats_applied = self.undelivered = 0
        self.refusals: Counter[str] = Counter()
        self.latencies = Latencies()
        self._staff = staff
        self._console = console
        self._signing_in = asyncio.Lock()
        self._phase = "syncing"
        self._began = time.monotonic()

    async def run(self) -> StationVerdict:
        """Sync, read back and judge. Raises SimulationError when reading back is impossible."""
        options = self.options
        async with progress(self._console, self._row):
            self._began = time.monotonic()
            for number in range(options.rounds):
                waiting = iter(range(options.stations))
                await asyncio.gather(*(self._work(waiting, number) for _ in range(options.connections)))
            seconds = time.monotonic() - self._began
            self._phase = "reading back"
            wrong_stations, wrong_banks = await self._wrong_stations(), await self._wrong_power_banks()
            self._phase = "done"
        return StationVerdict(
            stations=options.stations,
            slots=options.slots,
            rounds=options.rounds,
            syncs=self.syncs,
            seconds=round(seconds, 2),
            rate=round(self.syncs / seconds, 1),
            p50_ms=self.latencies.quantile_ms(0.5),
            p99_ms=self.latencies.quantile_ms(0.99),
            retries=self.retries,
            repeats=self.repeats,
            repeats_applied=self.repeats_applied,
            undelivered=self.undelivered,
            refusals=dict(self.refusals),
            wrong_stations=wrong_stations,
            wrong_power_banks=wrong_banks,
        )

    async def _work(self, waiting: Any, number: int) -> None:
        """One connection: takes the next station until none is left."""
        connection = Connection(self.options.endpoint, timeout=TIMEOUT)
        try:
            for station in waiting:
                body = self.region.body(station, number)
                reply = await self._deliver(connection, body)
                if reply is None:
                    self.undelivered += 1
                    continue
                self.syncs += 1
                if station % REPEAT_EVERY == 0:
                    self.repeats += 1
                    again = await self._deliver(connection, body)
                    if again is None:
                        self.undelivered += 1
                    else:
                        self.repeats_applied += not json.loads(again.body).get("replayed")
        finally:
            connection.close()

    async def _deliver(self, connection: Connection, body: bytes) -> Reply | None:
        """The 200 for a body; None when TRIES tries brought none."""
        for attempt in range(1, TRIES + 1):
            began, wait = time.monotonic(), retry_delay(attempt)
            token = self._staff.access_token
            try:
                reply = await connection.exchange(self._request(body, token))
            except NoAnswer:
                pass
            else:
                if reply.status == 200:
                    self.latencies.add(time.monotonic() - began)
                    return reply
                self._refused(reply)
                wait = retry_delay(attempt, reply.headers.get("retry-after"))
                if reply.status == 401:
                    await self._sign_in_again(token)
                    wait = 0.0
            self.retries += 1
            await asyncio.sleep(wait)
        return None

    async def _sign_in_again(self, token: str) -> None:
        async with self._signing_in:
            if self._staff.access_token == token:  # else another connection has done it
                await self._staff.sign_in("/api/admin/login")

    def _request(self, body: bytes, token: str) -> bytes:
        endpoint, timestamp = self.options.endpoint, str(int(time.time()))
        head = (
            f"POST {endpoint.prefix}{PATH} HTTP/1.1\r\nHost: {endpoint.authority}\r\n"
            f"Authorization: Bearer {token}\r\nX-Timestamp: {timestamp}\r\n"
            f"X-Signature: {sign(self.options.secret, body, timestamp)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _refused(self, reply: Reply) -> None:
        said = explain(reply.status, reply.body)
        if said not in self.refusals:
            self._console.print(f"Refused: {escape(said)}", soft_wrap=True, highlight=False)
        self.refusals[said] += 1

    async def _rows(self, path: str) -> dict[str, dict[str, Any]]:
        """The rows of this run in a list, by serial number."""
        found: dict[str, dict[str, Any]] = {}
        # Serial numbers are in order, so the run's own stand together.
        async for page in self._staff.pages(f"{path}?limit={PAGE}&cursor={self.region.run}", path):
            own = {row["serial_number"]: row for row in page if row["serial_number"].startswith(self.region.run)}
            found |= own
            if len(own) < len(page):
                break
        return found

    async def _wrong_stations(self) -> int:
        found = await self._rows("/api/stations/")
        options = self.options
        occupied = len(self.region.power_banks(0, 0))
        expected = ("ONLINE", options.slots, occupied, occupied)
        wrong = 0
        for station in range(options.stations):
            row = found.pop(self.region.serial(station), {})
            said = tuple(row.get(name) for name in ("status", "total_slots", "slots_occupied", "power_banks"))
            wrong += said != expected
        return wrong + len(found)

    async def _wrong_power_banks(self) -> int:
        found = await self._rows("/api/power-banks/")
        last = self.options.rounds - 1
        wrong = 0
        for station in range(self.options.stations):
            for slot, bank in self.region.power_banks(station, last).items():
                row = found.pop(bank, {})
                said = tuple(row.get(name) for name in ("status", "station", "current_slot", "battery_level"))
                wrong += said != ("AVAILABLE", self.region.serial(station), slot, self.region.battery(last))
        return wrong + len(found)

    def _row(self) -> Row:
        return {
            "": self._phase,
            "syncs": f"{self.syncs:,}/{self.options.stations * self.options.rounds:,}",
            "a second": f"{self.syncs / max(time.monotonic() - self._began, 1e-3):,.0f}",
            "retries": f"{self.retries:,}",
            "p50 ms": f"{self.latencies.quantile_ms(0.5) or 0:.1f}",
            "p99 ms": f"{self.latencies.quantile_ms(0.99) or 0:.1f}",
        }


async def simulate_stations(options: StationOptions, console: Console) -> StationVerdict:
    """One whole run. Raises SimulationError, with a sentence, when there is nothing to judge."""
    async with Staff(options.endpoint, options.username, options.password) as staff:
        await staff.check_server()
        await staff.sign_in("/api/admin/login")
        connector = Connector(options, staff, console)
        verdict = await connector.run()
    if not verdict.syncs:
        raise SimulationError(f"No sync was accepted: {next(iter(verdict.refusals), 'no reply came')}")
    return verdict
