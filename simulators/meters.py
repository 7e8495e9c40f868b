"""A fleet of energy meters, each as the sketch on an ESP32 behaves: claim once, then send readings over one connection.

A meter resends what got no answer, byte for byte; obeys Retry-After; stops for good on a 401. It keeps an account of
every reading it numbered, and at the end the fleet compares those accounts with what the server returns.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rich.console import Console
from rich.markup import escape

from simulators.client import Connection, Endpoint, NoAnswer, Reply, retry_delay
from simulators.progress import Row, progress
from simulators.staff import SimulationError, Staff, explain, some_at_once
from simulators.verdict import Account, Latencies, Stored, Verdict, compare

INGEST_PATH = "/api/device-data/ingest"  # the sketch's, without /gateway
DEVICE_TIMEOUT = 5.0  # the firmware hangs up then
GRACE = 15.0  # seconds after the end in which a meter still retries its last request
OVERTIME = 1.0  # seconds after the end in which a meter that is behind still catches up
NONCE_BYTES = 12

compact = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class MeterOptions:
    """What to simulate. `rate`: readings a second of each device; `batch`: readings in one request (1 … 1,000)."""

    endpoint: Endpoint
    username: str
    password: str
    devices: int
    rate: float
    seconds: float
    batch: int = 1
    encrypted: bool = False
    ids: bool = False
    seed: int | None = None


class Readings:
    """An endless, plausible course of readings of one meter, as JSON text of about 90 bytes."""

    def __init__(self, seed: str | None, *, ids: bool) -> None:
        """The same `seed` gives the same course; None a different one each time."""
        self._random = random.Random(seed)
        self._kwh = self._random.uniform(100.0, 9000.0)
        # Part of every message_id: two runs on one server with the same seed must not share ids.
        self._run = os.urandom(4).hex() if ids else ""

    def next(self, seq: int, seconds: float) -> str:
        """Reading number `seq`, `seconds` after the one before (energy is power by time)."""
        volts = self._random.gauss(229.0, 1.5)
        amperes = self._random.uniform(0.2, 16.0)
        factor = self._random.uniform(0.85, 1.0)
        self._kwh += volts * amperes * factor * seconds / 3_600_000
        reading: dict[str, object] = {
            "voltage": round(volts, 1),
            "current": round(amperes, 1),
            "power_factor": round(factor, 2),
            "kwh": round(self._kwh, 1),
            "seq": seq,
        }
        if self._run:
            reading["message_id"] = f"{self._run}-{seq}"
        return compact(reading)


def envelope(key: AESGCM, reading: str) -> str:
    """The reading encrypted under the device's key with a fresh nonce, as the Python twin of the sketch sends it."""
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = key.encrypt(nonce, reading.encode(), None)
    members = {"algorithm": "AESGCM", "nonce": _base64(nonce), "ciphertext": _base64(ciphertext)}
    return compact(members)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Meter:
    """One claimed device. `account` says what became of its readings."""

    def __init__(self, fleet: Fleet, number: int, device_id: int, api_key: str, key: AESGCM | None) -> None:
        options = fleet.options
        self.device_id = device_id
        self.account = Account()
        self.bricked = False
        self._fleet = fleet
        self._number = number
        self._api_key = api_key
        self._key = key
        self._readings = Readings(None if options.seed is None else f"{options.seed}/{number}", ids=options.ids)

    async def send(self, begin: float) -> None:
        """Send at the asked rate from `begin` (monotonic) on; behind schedule, one request right after another."""
        options = self._fleet.options
        interval = options.batch / options.rate
        due = max(1, round(options.rate * options.seconds))
        turns = math.ceil(due / options.batch)
        # Spread over what one interval leaves until the end, or all meters would send at the same instant.
        first = begin + (options.seconds - (turns - 1) * interval) * self._number / options.devices
        end = begin + options.seconds
        connection = Connection(options.endpoint, timeout=DEVICE_TIMEOUT)
        try:
            for turn in range(turns):
                await asyncio.sleep(first + turn * interval - time.monotonic())
                if time.monotonic() > end + OVERTIME:
                    break
                count = min(options.batch, due - self.account.sent)
                if not await self._deliver(connection, count, end + GRACE):
                    break
        finally:
            connection.close()

    def _request(self, seqs: range) -> bytes:
        options = self._fleet.options
        readings = [self._readings.next(seq, 1 / options.rate) for seq in seqs]
        if self._key is not None:
            readings = [envelope(self._key, reading) for reading in readings]
        body = readings[0] if options.batch == 1 else f"[{','.join(readings)}]"
        return options.endpoint.post(INGEST_PATH, body.encode(), bearer=self._api_key)

    async def _deliver(self, connection: Connection, count: int, give_up_at: float) -> bool:
        """Take the next `count` readings and send them until answered for good. False: this meter sends no more."""
        account = self.account
        seqs = range(account.sent + 1, account.sent + count + 1)
        request = self._request(seqs)
        account.sent += count
        attempt = 0
        while True:
            attempt += 1
            began = time.monotonic()  # uvloop's own clock counts whole milliseconds
            try:
                reply = await connection.exchange(request)
            except NoAnswer as problem:
                may_be_stored = problem.sent
                wait = retry_delay(attempt)
            else:
                if 200 <= reply.status < 300:
                    account.acknowledged += len(seqs)
                    self._fleet.answered(time.monotonic() - began)
                    return True
                if reply.status < 500 and reply.status != 429:
                    account.refused.update(seqs)
                    self._fleet.refused(reply)
                    self.bricked = reply.status == 401
                    return not self.bricked
                may_be_stored = reply.status >= 500
                wait = retry_delay(attempt, reply.headers.get("retry-after"))
            if may_be_stored:
                account.unanswered.update(seqs)
            if time.monotonic() + wait > give_up_at:
                account.unconfirmed.update(seqs)
                return False
            self._fleet.retries += 1
            await asyncio.sleep(wait)


class Fleet:
    """The meters of one run, and what they found out together."""

    def __init__(self, options: MeterOptions, console: Console) -> None:
        self.options = options
        self.meters: list[Meter] = []
        self.retries = 0
        self._console = console
        self._phase = "claiming"
        self._refusals: Counter[str] = Counter()
        self._latencies = Latencies()
        self._began = self._last_answer = 0.0
        self._shown = (0.0, 0)  # time and acknowledged readings of the row before, for the rate between
        self._sender_cpu = 0.0

    def answered(self, seconds: float) -> None:
        """A meter got a 2xx, `seconds` after it sent."""
        self._latencies.add(seconds)
        self._last_answer = time.monotonic()

    def refused(self, reply: Reply) -> None:
        """A meter got a refusal; each different one is shown once."""
        said = explain(reply.status, reply.body)
        if said not in self._refusals:
            self._console.print(f"Refused: {escape(said)}", soft_wrap=True, highlight=False)
        self._refusals[said] += 1

    async def run(self, staff: Staff) -> Verdict:
        """Claim, send, read back and judge. Raises SimulationError when claiming or reading back is impossible."""
        async with progress(self._console, self._row):
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            await some_at_once(self._enrol(staff, number, started) for number in range(self.options.devices))
            self._phase = "sending"
            await self._send()
            self._phase = "reading back"
            found = await some_at_once(self._read_back(staff, meter) for meter in self.meters)
            self._phase = "done"
        return self._judge(found)

    async def _enrol(self, staff: Staff, number: int, started: str) -> None:
        encrypted = self.options.encrypted
        device_id = await staff.create_device(f"Simulated meter {number + 1}", f"Simulator run {started}")
        token = await staff.provision(device_id, encrypted=encrypted)
        claimed = await staff.claim(token, {"fw": "simulator"})
        key = None
        if encrypted:
            try:
                key = AESGCM(base64.b64decode(claimed["encryption_key_b64"], validate=True))
            except (KeyError, TypeError, ValueError):
                raise SimulationError(f"The claim of device {device_id} brought no usable encryption key.") from None
        self.meters.append(Meter(self, number, device_id, str(claimed["api_key"]), key))

    async def _send(self) -> None:
        self._began = self._last_answer = time.monotonic()
        self._shown = (self._began, 0)
        cpu = time.process_time()
        await asyncio.gather(*(meter.send(self._began) for meter in self.meters))
        self._sender_cpu = (time.process_time() - cpu) / max(time.monotonic() - self._began, 1e-3)

    async def _read_back(self, staff: Staff, meter: Meter) -> Stored:
        seqs: list[object] = []
        async for page in staff.history(meter.device_id):
            seqs += [_seq(row) for row in page]
        return compare(meter.account, seqs)

    def _row(self) -> Row:
        acknowledged = sum(meter.account.acknowledged for meter in self.meters)
        now = time.monotonic()
        before, then = self._shown
        self._shown = (now, acknowledged)
        rate = (acknowledged - then) / (now - before) if self._phase == "sending" and now > before else 0.0
        return {
            "": self._phase,
            "claimed": f"{len(self.meters)}/{self.options.devices}",
            "sent": f"{sum(meter.account.sent for meter in self.meters):,}",
            "acknowledged": f"{acknowledged:,}",
            "a second": f"{rate:,.0f}",
            "retries": f"{self.retries:,}",
            "p50 ms": f"{self._latencies.quantile_ms(0.5) or 0:.1f}",
            "p99 ms": f"{self._latencies.quantile_ms(0.99) or 0:.1f}",
        }

    def _judge(self, found: list[Stored]) -> Verdict:
        options = self.options
        accounts = [meter.account for meter in self.meters]
        acknowledged = sum(account.acknowledged for account in accounts)
        # The last readings are due shortly before the end, so a run that keeps up ends a little early.
        seconds = max(options.seconds, self._last_answer - self._began)
        return Verdict(
            devices=len(self.meters),
            asked_rate=options.rate * options.devices,
            achieved_rate=round(acknowledged / seconds, 1),
            seconds=round(seconds, 2),
            sent=sum(account.sent for account in accounts),
            acknowledged=acknowledged,
            stored=sum(each.stored for each in found),
            lost=sum(each.lost for each in found),
            duplicated=sum(each.duplicated for each in found),
            duplicated_explained=sum(each.explained for each in found),
            stray=sum(each.stray for each in found),
            refused=sum(len(account.refused) for account in accounts),
            unconfirmed=sum(len(account.unconfirmed) for account in accounts),
            retries=self.retries,
            bricked=sorted(meter.device_id for meter in self.meters if meter.bricked),
            refusals=dict(self._refusals),
            p50_ms=self._latencies.quantile_ms(0.5),
            p99_ms=self._latencies.quantile_ms(0.99),
            sender_cpu=round(self._sender_cpu, 2),
            encrypted=options.encrypted,
            batch=options.batch,
            ids=options.ids,
        )


async def simulate_meters(options: MeterOptions, console: Console) -> Verdict:
    """One whole run. Raises SimulationError, with a sentence, when there is nothing to judge."""
    async with Staff(options.endpoint, options.username, options.password) as staff:
        await staff.check_server()
        await staff.sign_in()
        return await Fleet(options, console).run(staff)


def _seq(row: Any) -> object:
    """The `seq` of a stored row; None for a row that has none."""
    payload = row.get("payload") if isinstance(row, dict) else None
    return payload.get("seq") if isinstance(payload, dict) else None
