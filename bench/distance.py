"""`python -m bench.distance PORT TARGET`: connections to PORT go on to TARGET, whose replies come a millisecond later.

As with a database on another host: what a round trip costs, nothing of what its network can carry.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection
from typing import Any, Final

import uvloop

from bench.ports import free_port

ROUND_TRIP: Final = 0.001
START_SECONDS: Final = 10.0


class _End(asyncio.Protocol):
    """One end of a connection, and what is read there for the other one."""

    def __init__(self, delay: float, target: int | None = None) -> None:
        self._delay = delay
        self._target = target
        self._waiting: list[bytes] = []
        self.other: _End | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self._target is not None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(self._target))

    async def _connect(self, target: int) -> None:
        other = _End(ROUND_TRIP)
        other.other = self
        await asyncio.get_running_loop().create_connection(lambda: other, "127.0.0.1", target)
        self.other = other
        for data in self._waiting:
            other.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._waiting.append(data)
        elif self._delay:
            asyncio.get_running_loop().call_later(self._delay, self.other.transport.write, data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            asyncio.get_running_loop().call_later(self._delay, self.other.transport.close)


@contextmanager
def a_millisecond_away(url: str) -> Iterator[str]:
    """The URL of the same PostgreSQL (`postgres://…@127.0.0.1:PORT/…`), as if it were on another host."""
    target = url.rpartition("/")[0].rpartition(":")[2]
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.distance", str(port), target])
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield url.replace(f":{target}/", f":{port}/")
    finally:
        process.terminate()
        process.wait()


async def _serve(port: int, target: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _End(0, target), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
