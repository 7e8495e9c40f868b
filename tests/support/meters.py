"""Simulated meters that remember what they were told: the witnesses of the crash and trouble tests.

A meter does as the sketch does: one connection, one request at a time, and the same bytes again until they are
acknowledged. What it was told is kept in a `Journal`, which `tests.support.ledger` compares with the database.

`python -m tests.support.meters` is a fleet as a process of its own: it reads a plan as one line of JSON from standard
input, prints `loading` at the first acknowledgement, and, once a further line or the end of its input has come,
finishes what it has begun and prints its journal.
"""

import asyncio
import base64
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simulators.client import Connection, Endpoint, NoAnswer, Reply
from tests.support.staff import Device, device_of

INGEST, CLAIM = "/api/device-data/ingest", "/api/devices/claim"  # the sketch's own paths
GIVE_UP_SECONDS = 8.0
"""Longer than the firmware's 5 s, so that a reply that comes too late is seen, and held against the server."""
PATIENCE = 30.0
"""Seconds after the end was announced in which a reading that was begun must get its acknowledgement."""
SURE_CODES = {"queue_full", "queued_too_long", "registry_unavailable", "lookup_failed"}
"""Of the 503s those that say that nothing can have been stored; after any other one nobody knows."""
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Entry:
    """One request and what became of it: readings `first` … `first + count - 1` of a device.

    `marked`: each had a message_id or a nonce. `unsure`: attempts after which the sender could not know whether they
    were stored. `acked`: whether a 2xx came at last.
    """

    device: int
    first: int
    count: int
    marked: bool
    unsure: int
    acked: bool

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)


@dataclass
class Journal:
    """What one or more meters were told. `replies` counts `status` or `status code`; `slowest`: seconds."""

    entries: list[Entry] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    claims: int = 0
    slowest: float = 0.0
    unanswered: list[tuple[float, float]] = field(default_factory=list)
    """When each request was sent that got no reply, and when that was known, by the monotonic clock."""

    def as_json(self) -> str:
        return json.dumps(vars(self) | {"entries": [list(vars(entry).values()) for entry in self.entries]})

    @classmethod
    def from_json(cls, text: str) -> Self:
        value = json.loads(text)
        entries = [Entry(*entry) for entry in value.pop("entries")]
        return cls(entries=entries, replies=Counter(value.pop("replies")), **value)

    @classmethod
    def of_all(cls, journals: Iterable["Journal"]) -> Self:
        whole = cls()
        for journal in journals:
            whole.entries += journal.entries
            whole.replies += journal.replies
            whole.problems += journal.problems
            whole.claims += journal.claims
            whole.unanswered += journal.unanswered
            whole.slowest = max(whole.slowest, journal.slowest)
        return whole

    @property
    def acked(self) -> int:
        """Readings that were acknowledged."""
        return sum(entry.count for entry in self.entries if entry.acked)

    def statuses(self) -> set[int]:
        """Every status that came as a reply."""
        return {int(name.split()[0]) for name in self.replies if name[0].isdigit()}

    def count(self, status: int) -> int:
        """Replies of that status."""
        return sum(n for name, n in self.replies.items() if name.split()[0] == str(status))

    def problem(self, sentence: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(sentence)


def reading(number: int) -> dict[str, Any]:
    """The reading of that number, always the same: what is stored can be compared with it."""
    return {"n": number, "voltage": 228 + number % 97 / 10, "kwh": 1000 + number / 10, "rssi": -40 - number % 50}


def message_id(device: int, number: int) -> str:
    return f"m-{device}-{number}"


@dataclass
class Conditions:
    """What all meters of a fleet share. `end` is set when nothing new is to be begun, `abandon` when all must end."""

    endpoint: Endpoint
    journal: Journal
    end: asyncio.Event
    abandon_at: float = float("inf")
    on_ack: Callable[[], None] = lambda: None
    allowed: frozenset[int] = frozenset({201, 429, 503})
    """Statuses a meter can live with; any other is a problem, and ends it."""
    pause: float = 0.0
    """Seconds between a reply and the next reading; 0: as fast as the server answers."""

    def begin_end(self) -> None:
        self.abandon_at = time.monotonic() + PATIENCE
        self.end.set()


class Meter:
    """One device. Numbers its readings from `first`; what it sends is chosen by `chance`."""

    def __init__(self, shared: Conditions, device: Device, first: int, chance: random.Random) -> None:
        self._shared = shared
        self._device = device
        self._next = first
        self._chance = chance
        self._aead = AESGCM(base64.b64decode(device.data_key)) if device.data_key else None
        self._connection = Connection(shared.endpoint, timeout=GIVE_UP_SECONDS)

    async def run(self) -> None:
        """Sends until the end is announced and the last reading is acknowledged, or a reply ends it."""
        shared = self._shared
        try:
            while not shared.end.is_set():
                if not await self._deliver():
                    return
                if shared.pause:
                    await asyncio.sleep(shared.pause * self._chance.uniform(0.5, 1.5))
        finally:
            self._connection.close()

    async def _deliver(self) -> bool:
        """One request until it is acknowledged; False when the meter must end."""
        shared = self._shared
        count, marked, request = self._compose()
        first, self._next = self._next, self._next + count
        unsure = 0
        while True:
            reply = await attempt(self._connection, request, shared)
            if isinstance(reply, Reply) and reply.status == 201:
                shared.journal.entries.append(Entry(self._device.pk, first, count, marked, unsure, True))
                self._check(reply.body, count, is_batch=request.find(b"\r\n\r\n[") > 0)
                shared.on_ack()
                return True
            if isinstance(reply, NoAnswer):
                unsure += reply.sent
            elif reply.status not in shared.allowed:
                shared.journal.problem(f"device {self._device.pk}: {reply.status} {reply.body[:200]!r}")
                break
            else:
                unsure += reply.status == 503 and code_of(reply) not in SURE_CODES
            if time.monotonic() > shared.abandon_at:
                shared.journal.problem(f"device {self._device.pk}: reading {first} never acknowledged")
                break
            await asyncio.sleep(self._chance.uniform(0.05, 0.2))
        shared.journal.entries.append(Entry(self._device.pk, first, count, marked, unsure, False))
        return False

    def _check(self, body: bytes, count: int, *, is_batch: bool) -> None:
        expected = {"status": "ok", "accepted": count} if is_batch else {"status": "ok"}
        if json.loads(body) != expected:
            self._shared.journal.problem(f"device {self._device.pk}: 201 with {body[:200]!r}, not {expected}")

    def _compose(self) -> tuple[int, bool, bytes]:
        """The next request: how many readings, whether each can be told from its repeat, its bytes."""
        chance = self._chance
        is_batch = chance.random() < 0.3
        count = chance.choice((1, 2, 5, 20, 100)) if is_batch else 1
        values = [reading(self._next + index) for index in range(count)]
        marked, header = True, ""
        if self._aead:
            values = [self._seal(value) for value in values]
        elif chance.random() < 0.5:
            marked = False
        elif not is_batch and chance.random() < 0.3:
            header = f"Idempotency-Key: {message_id(self._device.pk, self._next)}\r\n"
        else:
            for value in values:
                value["message_id"] = message_id(self._device.pk, value["n"])
        body = json.dumps(values if is_batch else values[0]).encode()
        request = self._shared.endpoint.post(INGEST, body, bearer=self._device.api_key)
        return count, marked, request.replace(b"\r\n", f"\r\n{header}".encode(), 1)

    def _seal(self, value: dict[str, Any]) -> dict[str, Any]:
        assert self._aead is not None
        nonce = self._chance.randbytes(12)
        sealed = self._aead.encrypt(nonce, json.dumps(value).encode(), None)
        coded = {"nonce": base64.b64encode(nonce).decode(), "ciphertext": base64.b64encode(sealed).decode()}
        return {"algorithm": "AESGCM", **coded}


async def attempt(connection: Connection, request: bytes, shared: Conditions) -> Reply | NoAnswer:
    """One exchange, counted in the journal."""
    began = time.monotonic()
    try:
        reply = await connection.exchange(request)
    except NoAnswer as nothing:
        shared.journal.replies["none" if nothing.sent else "refused"] += 1
        if nothing.sent:
            shared.journal.unanswered.append((began, time.monotonic()))
        if "no reply within" in str(nothing):
            shared.journal.problem(str(nothing))
        return nothing
    shared.journal.slowest = max(shared.journal.slowest, time.monotonic() - began)
    shared.journal.replies[f"{reply.status} {code_of(reply)}".strip()] += 1
    if reply.status in (429, 503) and not reply.headers.get("retry-after", "").isdigit():
        shared.journal.problem(f"{reply.status} without Retry-After: {reply.body[:200]!r}")
    return reply


def code_of(reply: Reply) -> str:
    """The stable word of an error reply, else nothing."""
    if reply.status < 400:
        return ""
    try:
        return str(json.loads(reply.body)["code"])
    except (ValueError, KeyError, TypeError):
        return "without-code"


async def newcomer(shared: Conditions, token: str, first: int, chance: random.Random) -> None:
    """A device that claims in the middle of it all, asks again when it gets no reply, and then sends."""
    await asyncio.sleep(chance.uniform(0, 1))
    body = json.dumps({"token": token}).encode()
    request = shared.endpoint.post(CLAIM, body, bearer="none")
    connection = Connection(shared.endpoint, timeout=GIVE_UP_SECONDS)
    try:
        while True:
            reply = await attempt(connection, request, shared)
            if isinstance(reply, Reply) and reply.status == 201:
                break
            if isinstance(reply, Reply) and reply.status != 503:
                shared.journal.problem(f"a claim was answered {reply.status} {reply.body[:200]!r}")
                return
            if time.monotonic() > shared.abandon_at:
                shared.journal.problem("a claim was never answered")
                return
            await asyncio.sleep(chance.uniform(0.05, 0.2))
    finally:
        connection.close()
    shared.journal.claims += 1
    # One reading at least, also when the end has been announced meanwhile: an acknowledged key must be good.
    meter = Meter(shared, device_of(json.loads(reply.body)), first, chance)
    await meter._deliver()
    await meter.run()


async def fleet(
    shared: Conditions, devices: Iterable[Device], *, tokens: Iterable[str] = (), first: int = 0, seed: int = 0
) -> None:
    """All of them at once, until the end."""
    chance = random.Random(seed)
    meters = [Meter(shared, device, first, random.Random(chance.random())).run() for device in devices]
    joining = [newcomer(shared, token, first, random.Random(chance.random())) for token in tokens]
    await asyncio.gather(*meters, *joining)


async def _process() -> None:
    plan = json.loads(sys.stdin.readline())
    loop = asyncio.get_running_loop()
    shared = Conditions(Endpoint.parse(plan["url"]), Journal(), asyncio.Event())

    def told() -> None:
        loop.remove_reader(sys.stdin)
        shared.begin_end()

    def loading() -> None:
        shared.on_ack = lambda: None
        print("loading", flush=True)

    loop.add_reader(sys.stdin, told)
    shared.on_ack = loading
    devices = [Device(**device) for device in plan["devices"]]
    await fleet(shared, devices, tokens=plan["tokens"], first=plan["first"], seed=plan["seed"])
    print(shared.journal.as_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(_process())
