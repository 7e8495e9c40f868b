"""A year of history: statistics and lists over ten million events against one million, and against a plain GROUP BY;
an export of a million rows, and what it costs the server in memory.

All of ours is asked over HTTP, of a server of its own for each database, in turn: a slow moment of the machine hits
both. The plain GROUP BY is asked of the database itself, so that it has the better of the two ways.
"""

import http.client
import json
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from bench import servers
from bench.databases import connect
from bench.history import DAYS

SMALL, LARGE = 1_000_000, 10_000_000
ROUNDS = 5
EXPORTED = 1_000_000
MEGABYTE = 1024 * 1024
_PLAIN = (
    "SELECT substr({text}, 1, {length}) AS bucket, treatment, count(*) FROM telemetry_telemetryevent"
    " WHERE occurred_at >= '{since}' AND treatment IS NOT NULL {condition} GROUP BY 1, 2"
)
STATISTICS = {
    "year by day, an outlet": ("day", DAYS, True),
    "year by day, the fleet": ("day", DAYS, False),
    "year by month, an outlet": ("month", DAYS, True),
    "year by month, the fleet": ("month", DAYS, False),
    "month by hour, an outlet": ("hour", 30, True),
    "month by hour, the fleet": ("hour", 30, False),
}
"""Granularity, days, and whether only one outlet is asked for."""
LENGTHS = {"hour": 13, "day": 10, "month": 7}


class Client:
    """Somebody signed in at a server, over one connection that is kept while it is used."""

    def __init__(self, port: int, password: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        body = json.dumps({"username": "admin", "password": password})
        self._headers = {"Content-Type": "application/json"}
        reply = json.loads(self._ask("POST", "/api/auth/token/", body).read())
        self._headers = {"Authorization": f"Bearer {reply['data']['access_token']}"}

    def warm_up(self, path: str) -> None:
        """Over a new connection, for the server closes one that has been silent; what is read is then in memory, as
        where somebody looks at it every day."""
        self._connection.close()
        self.get(path)

    def get(self, path: str) -> tuple[float, Any]:
        """Seconds, and what was read."""
        began = time.perf_counter()
        found = json.loads(self._ask("GET", path).read())
        return time.perf_counter() - began, found

    def change(self, method: str, path: str, value: Any) -> Any:
        """What is said to it; over a new connection."""
        self._connection.close()
        return json.loads(self._ask(method, path, json.dumps(value)).read())

    def count_lines(self, path: str) -> int:
        """How many lines a stream has; it is forgotten as it is read."""
        reply = self._ask("GET", path)
        lines = 0
        while piece := reply.read1(MEGABYTE):
            lines += piece.count(b"\n")
        return lines

    def _ask(self, method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, self._headers)
        reply = self._connection.getresponse()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {reply.read(500)!r}")
        return reply


def measure(small_url: str, large_url: str, fleet_url: str, say: Callable[[str], None]) -> dict[str, Any]:
    """A figure. The databases: SMALL and LARGE events of 1,000 devices, and a fleet of 10,000 without any.

    `growth`: by name, seconds on LARGE over those on SMALL; `gain`: by name, seconds of the plain GROUP BY over ours;
    `by_day_growth`, `by_day_gain`, `by_hour_gain`: the worst of them, of days and months, and of hours. `seconds`: of
    ours on LARGE. `export_mb`: by how much the export of `exported` rows made the server grow; `rate`: rows a second.
    """
    password = secrets.token_urlsafe(16)
    more = {"DJANGO_SUPERUSER_PASSWORD": password, "LIMIT_PERSON_CALLS": "1000000/10"}
    with (
        servers.product(small_url, **more) as small_server,
        servers.product(large_url, **more) as large_server,
        servers.product(fleet_url, **more) as fleet_server,
        closing(connect(large_url)) as plain,
    ):
        small, large, fleet = (Client(one.port, password) for one in (small_server, large_server, fleet_server))
        growth, gain, seconds, problems = {}, {}, {}, []
        for name, (granularity, days, of_outlet) in STATISTICS.items():
            outlet = {"outlet_id": 1} if of_outlet else {}
            path = f"/api/stats/?{urlencode({'granularity': granularity, 'days': days, **outlet})}"
            growth[name], seconds[name], found = _in_turn(small, large, path)
            slow, total = _group_by(plain, granularity, days, of_outlet)
            gain[name] = slow / seconds[name]
            if found["kpi"]["total"] != total:
                problems.append(f"{name}: {found['kpi']['total']} instead of {total}")
            say(f"{name}: {seconds[name] * 1e3:.1f} ms, plain {slow:.2f} s")
        for name, path in (
            ("newest 1,000 events", "/api/events/"),
            ("newest 1,000 of an outlet", "/api/events/?outlet_id=1"),
        ):
            growth[name], seconds[name], _ = _in_turn(small, large, path)
        fleet.warm_up("/api/devices/all/")
        lists = [fleet.get("/api/devices/all/")[0] for _ in range(ROUNDS)]
        seconds["list of 10,000 devices"] = statistics.median(lists)
        exported = _export(large_server, large, plain)
    of_days = [name for name, (granularity, _, _) in STATISTICS.items() if granularity != "hour"]
    of_hours = [name for name in STATISTICS if name not in of_days]
    return {
        "growth": growth,
        "gain": gain,
        "seconds": seconds,
        "by_day_growth": max(growth[name] for name in of_days),
        "by_day_gain": min(gain[name] for name in of_days),
        "by_hour_gain": min(gain[name] for name in of_hours),
        **exported,
        "problems": problems + exported["problems"],
    }


def _in_turn(small: Client, large: Client, path: str) -> tuple[float, float, Any]:
    """The median of the rounds' own quotients, large over small; the large one's median seconds, and its answer."""
    for client in (small, large):
        client.warm_up(path)
    rounds = [(small.get(path)[0], large.get(path)) for _ in range(ROUNDS)]
    growth = statistics.median(seconds / small_seconds for small_seconds, (seconds, _) in rounds)
    return growth, statistics.median(seconds for _, (seconds, _) in rounds), rounds[-1][1][1]


def _group_by(plain: Any, granularity: str, days: int, of_outlet: bool) -> tuple[float, int]:
    """Seconds of the plain way, the better of two, and how many events it counted in those days. It counts as many days
    before as well, as ours does for `prev_total`."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=days - 1)
    if granularity == "month":
        first = first.replace(day=1)  # whole buckets
    query = _PLAIN.format(
        text="occurred_at" if "sqlite3" in type(plain).__module__ else "occurred_at::text",
        length=LENGTHS[granularity],
        since=f"{first - timedelta(days=days):%Y-%m-%d %H:%M:%S}",
        condition="AND outlet_id = 1" if of_outlet else "",
    )
    found = []
    for _ in range(2):
        began = time.perf_counter()
        rows = plain.execute(query).fetchall()
        found.append(time.perf_counter() - began)
    begin = f"{first:%Y-%m-%d %H}"[: LENGTHS[granularity]]
    return min(found), sum(number for bucket, _, number in rows if bucket >= begin)


def _export(server: servers.Server, client: Client, plain: Any) -> dict[str, Any]:
    """An export of at least EXPORTED rows: by how much the server grew, and whether they all came."""
    # By whole days of arrival, of which each has as many.
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0) - timedelta(days=EXPORTED * DAYS // LARGE + 1)
    path = f"/api/export/?start={start:%Y-%m-%dT%H:%M:%SZ}"
    since = f"{start:%Y-%m-%d %H:%M:%S}"
    query = f"SELECT count(*) FROM telemetry_telemetryevent WHERE occurred_at >= '{since}'"
    (expected,) = plain.execute(query).fetchone()
    client.warm_up("/api/devices/all/")
    client.count_lines("/api/export/?days=1")
    with _watched(server) as grown:
        began = time.perf_counter()
        rows = client.count_lines(path) - 1
        seconds = time.perf_counter() - began
    problems = [] if rows == expected >= EXPORTED else [f"{rows} rows exported of {expected}"]
    return {"exported": rows, "rate": rows / seconds, "export_mb": max(grown), "problems": problems}


@contextmanager
def _watched(server: servers.Server) -> Iterator[list[float]]:
    """While the block runs: resident megabytes of the server's processes beyond those before it."""
    family = [server.process, *server.process.children(recursive=True)]

    def resident() -> float:
        return sum(process.memory_info().rss for process in family) / MEGABYTE

    before, grown, stop = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            grown.append(resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield grown
    finally:
        stop.set()
        watcher.join()
