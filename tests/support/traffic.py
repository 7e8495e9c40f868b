"""Load from inside the test's own process: meters that remember, and short bursts over many connections at once."""

import asyncio
import json
import os
import statistics
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, cast

import uvloop

from bench.trouble import RECORD
from simulators.client import Endpoint
from tests.support.ledger import Database, Verdict, compare
from tests.support.meters import INGEST, PATIENCE, Conditions, Journal, fleet
from tests.support.server import LiveServer
from tests.support.staff import Device, Staff

FIRMWARE_SECONDS = 5.0
"""When a device hangs up: the contract's bound for every reply."""
BURST_SECONDS = 0.5
"""From when every connection is served, so that a moment's stall of the machine does not count."""
BURSTS = 9
"""At each of the two servers. With three, one measurement in ten took an untouched server for a fifth slower than its
twin, on a busy machine of two cores."""
CONNECTIONS = 32


class Loop:
    """An event loop in a thread of its own, for the length of a block."""

    def __enter__(self) -> Self:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any], seconds: float = 120) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)


class Reached(Protocol):
    """Whatever meters send to: where it is, and where it stores."""

    @property
    def url(self) -> str: ...

    @property
    def database_url(self) -> str: ...


class Traffic:
    """Meters under way. `journal` may be looked at while they are; it is whole after `end()`."""

    def __init__(self, loop: Loop, server: Reached, devices: Sequence[Device], first: int, pause: float) -> None:
        self._loop = loop
        self.journal = Journal()
        self.shared = loop.run(self._conditions(server, pause))
        self._done = asyncio.run_coroutine_threadsafe(fleet(self.shared, devices, first=first, seed=first), loop.loop)

    async def _conditions(self, server: Reached, pause: float) -> Conditions:
        return Conditions(Endpoint.parse(server.url), self.journal, asyncio.Event(), pause=pause)

    def wait_for(self, acknowledged: int, seconds: float = 20) -> None:
        """Until that many further requests have been acknowledged."""
        until, wanted = time.monotonic() + seconds, self.journal.replies["201"] + acknowledged
        while self.journal.replies["201"] < wanted:
            assert time.monotonic() < until, f"only {self.journal.replies} in {seconds} s: {self.journal.problems}"
            time.sleep(0.02)

    def end(self) -> Journal:
        """Lets every meter finish what it has begun."""
        self._loop.loop.call_soon_threadsafe(self.shared.begin_end)
        self._done.result(PATIENCE + 20)
        return self.journal


@contextmanager
def traffic(server: Reached, devices: Sequence[Device], *, pause: float = 0.0) -> Iterator[Traffic]:
    """Meters that send for the length of the block, and are then ended, whatever happened in it."""
    first = int(time.time() * 1000) * 100_000  # no two runs number their readings alike
    with Loop() as loop:
        under_way = Traffic(loop, server, devices, first, pause)
        try:
            yield under_way
        finally:
            under_way.end()


def check_stored(server: Reached, journal: Journal) -> Verdict:
    """Compares the journal with the database: fails unless all that was acknowledged is there, once."""
    database = Database(server.database_url)
    spans: dict[int, tuple[int, int]] = {}
    for entry in journal.entries:
        low, high = spans.get(entry.device, (entry.first, entry.first))
        spans[entry.device] = min(low, entry.first), max(high, entry.first + entry.count - 1)
    rows = []
    for row in database.rows():
        number = (json.loads(row.payload) if isinstance(row.payload, str) else row.payload).get("n", -1)
        low, high = spans.get(row.device, (0, -1))
        if low <= number <= high:
            rows.append(row)
    verdict = compare(journal, rows, database.latest())
    assert not verdict.faults, f"{verdict.faults}: {verdict.examples}"
    assert journal.acked > 0
    return verdict


# --- Everybody at once ---


class _Pump(asyncio.Protocol):
    """One connection that sends the same request again as soon as it is answered."""

    def __init__(self, request: bytes, tally: "_Tally") -> None:
        self._request = request
        self._tally = tally
        self._is_served = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        # A reply is far smaller than a segment, so it comes whole, or the burst counts it as bad.
        if data.startswith(b"HTTP/1.1 201 ") and data.endswith(b"}"):
            self._tally.good += 1
            if not self._is_served:
                self._is_served = True
                self._tally.served += 1
        else:
            self._tally.bad.append(data[:200])
        if self._tally.open:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tally.open:
            self._tally.bad.append(b"connection lost")


@dataclass
class _Tally:
    open: bool = True
    good: int = 0
    served: int = 0
    """Connections that have had a reply."""
    bad: list[bytes] = field(default_factory=list)


def _same(pump: _Pump) -> _Pump:
    return pump


async def _burst(server: LiveServer, devices: Sequence[Device]) -> float:
    """Readings a second. Fails unless every connection is served in the firmware's patience, and all with 201."""
    endpoint = Endpoint.parse(server.url)
    loop = asyncio.get_running_loop()
    tally = _Tally()
    body = b'{"voltage":229.4,"current":1.7,"power_factor":0.93,"kwh":1042.5,"rssi":-61}'
    transports = []
    for index in range(CONNECTIONS):
        pump = _Pump(endpoint.post(INGEST, body, bearer=devices[index % len(devices)].api_key), tally)
        transport, _ = await loop.create_connection(partial(_same, pump), endpoint.host, endpoint.port)
        transports.append(transport)
    until = time.monotonic() + FIRMWARE_SECONDS
    # Looked at from time to time: an event would cost the pump more with every reply.
    while tally.served < CONNECTIONS and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    began, before = time.monotonic(), tally.good
    await asyncio.sleep(BURST_SECONDS)
    tally.open = False
    rate = (tally.good - before) / (time.monotonic() - began)
    await asyncio.sleep(0.05)
    for transport in transports:
        transport.abort()
    assert not tally.bad, f"a healthy server answered {tally.bad[:3]}"
    assert tally.served == CONNECTIONS, f"only {tally.served} of {CONNECTIONS} connections were served"
    return rate


@contextmanager
def for_the_benchmark(twin: AbstractContextManager[LiveServer]) -> Iterator[LiveServer | None]:
    """Starts a server that only a measurement needs; None where nothing is measured."""
    if RECORD in os.environ:
        with twin as server:
            yield server
    else:
        yield None


class Gauge:
    """After a trouble: whether a server serves everybody again, and for the benchmark how fast.

    How fast a shared machine is at a moment decides no test: the benchmark (bench/trouble.py) names a file for what
    is found, and only then there is a twin, one of the server's kind on a disk of the same kind which stays out of
    trouble. A burst at the one is compared with the burst at the other beside it, so a busy machine slows both alike.
    """

    def __init__(self, server: LiveServer, twin: LiveServer | None) -> None:
        self._own = server, Staff(server.url).enrol(16)
        self._twin = None if twin is None else (twin, Staff(twin.url).enrol(16))
        # Twice as many: an error here would be in every share.
        self._before = statistics.median(self._quotients(self._twin, 2 * BURSTS)) if self._twin else 0.0

    def check(self, trouble: str, slowest: float | None = None) -> None:
        """Fails unless connections at once are all served, with 201 only. For the benchmark notes the share of its
        rate before that it does now, and the seconds of the slowest reply during the trouble, where they are a figure.
        """
        if self._twin is None:
            with Loop() as loop:
                loop.run(_burst(*self._own))
            return
        shares = [quotient / self._before for quotient in self._quotients(self._twin, BURSTS)]
        found = {"trouble": trouble, "share": statistics.median(shares), "bursts": shares, "slowest": slowest}
        with Path(os.environ[RECORD]).open("a") as record:
            record.write(json.dumps(found) + "\n")

    def _quotients(self, twin: tuple[LiveServer, Sequence[Device]], bursts: int) -> list[float]:
        """Of bursts side by side, the server's rate over the twin's; which of the two is first changes."""
        quotients = []
        with Loop() as loop:
            for number in range(bursts):
                order = (self._own, twin) if number % 2 else (twin, self._own)
                rates = {server: loop.run(_burst(server, devices)) for server, devices in order}
                quotients.append(rates[self._own[0]] / rates[twin[0]])
        return quotients
