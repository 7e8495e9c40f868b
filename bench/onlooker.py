"""`python -m bench.onlooker HOST PORT KEY SECONDS [COOKIE]`: an honest meter, and a person with a page open.

The meter sends a reading every 20 ms, or as soon as the one before is answered; with a COOKIE the start page is asked
for every quarter of a second over a connection of its own. Prints `ingest` and `page`, each with its number, rate, p50,
p99 and worst in milliseconds and the statuses, as a line of JSON.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any

from bench.attack import reply, request
from bench.load import INGEST

PERIOD = 0.02
PAGE_PERIOD = 0.25


class Watch:
    """How long one kind of request takes."""

    def __init__(self, address: tuple[str, int], what: bytes, period: float, until: float) -> None:
        self._address, self._what, self._period, self._until = address, what, period, until
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        connection = None
        while (began := time.monotonic()) < self._until:
            try:
                connection = connection or socket.create_connection(self._address, 60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(self._what)
                status = reply(connection)
            except OSError:
                status = 0
            took = time.monotonic() - began
            self.times.append(took)
            self.statuses[status] += 1
            if status == 0:
                connection = None
            time.sleep(max(0.0, self._period - took))

    def figures(self) -> dict[str, Any]:
        ms = sorted(1000 * each for each in self.times) or [0.0]
        return {
            "number": len(self.times),
            "rate": round(1000 * len(ms) / (sum(ms) or 1), 1),
            "p50_ms": round(ms[len(ms) // 2], 1),
            "p99_ms": round(ms[min(len(ms) - 1, len(ms) * 99 // 100)], 1),
            "worst_ms": round(ms[-1], 1),
            "statuses": dict(self.statuses),
        }


def main() -> None:
    host, port, key, seconds, *cookie = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    meter = request("POST", INGEST, b'{"kwh": 1.5}', Authorization=f"Bearer {key}", Content_Type="application/json")
    watches = {"ingest": Watch((host, int(port)), meter, PERIOD, until)}
    if cookie:
        page = request("GET", "/", Cookie=cookie[0])
        watches["page"] = Watch((host, int(port)), page, PAGE_PERIOD, until)
    threads = [threading.Thread(target=watch.run) for watch in watches.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({name: watch.figures() for name, watch in watches.items()}))


if __name__ == "__main__":
    main()
