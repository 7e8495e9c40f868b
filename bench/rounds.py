"""What is measured, and in which order.

Within a run everything that is compared is measured close together: b and c in turn at each number of connections,
with both servers up (the one not loaded is idle); d, and at once e with the very rows d has stored. So a slow moment
of the machine hits both sides of a ratio. Each server gets a fresh copy of one template.
"""

import http.client
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import (
    alerts,
    claims,
    events,
    fairness,
    influx,
    million,
    money,
    moving,
    nodes,
    pages,
    retention,
    scale,
    servers,
    stations,
    trouble,
)
from bench.databases import Store, count_rows
from bench.load import BATCH, INGEST, Load, device_key, reading, run_wrk, write_script

CONNECTIONS = (1, 16, 64, 256)
BATCH_CONNECTIONS = 2
DEVICES = 1_000
BATCH_DEVICES = 100
MEMORY_DEVICES = 10_000
TELEMETRY = "device_gateway_devicetelemetry"
EVENTS = "telemetry_telemetryevent"
PLAIN_EVENTS = "plain_telemetryevent"
PLAIN_TELEMETRY = "plain_devicetelemetry"
PLAIN_CONNECTIONS = 64
FILL_SECONDS = 1_800
WORKERS = {"sync": ("--worker-class", "sync"), "gthread": ("--worker-class", "gthread", "--threads", "4")}

Figures = dict[str, list[dict[str, Any]]]
"""By name of the figure (a, a_kept, b64, c64, d, e, …): one entry for each run."""


@dataclass
class Bench:
    """The measurements on one kind of database."""

    store: Store
    folder: Path
    seconds: float
    say: Callable[[str], None]
    devices: int = million.DEVICES
    """Of the large fleet."""
    caller_seconds: float = fairness.SECONDS
    figures: Figures = field(default_factory=lambda: defaultdict(list))
    plain_workers: dict[str, str] = field(default_factory=dict)
    """By figure, the gunicorn worker that did best."""

    def prepare(self) -> None:
        """Templates and scripts."""
        for devices in (DEVICES, MEMORY_DEVICES):
            self.store.make_template(f"fleet_{devices}", _fill("bench.fleet", devices))
        self.store.make_template("plain", _fill("bench.plain.fill", DEVICES))
        self.single = write_script(self.folder, "single", devices=DEVICES, batch=1)
        self.presses = events.write_script(self.folder, "presses", devices=DEVICES)
        self.repeats = events.write_script(self.folder, "repeats", devices=DEVICES, repeat=True)
        self.batch = write_script(self.folder, "batch", devices=BATCH_DEVICES, batch=BATCH)

    def choose_workers(self) -> None:
        """The plain project's best set-up; before the first run."""
        for figure in ("a", "a_kept"):
            rates = {worker: self._measure_plain(figure, worker)["rate"] for worker in WORKERS}
            self.plain_workers[figure] = max(rates, key=lambda worker: rates[worker])

    def run(self) -> None:
        """One run of all the rates."""
        for figure, worker in self.plain_workers.items():
            self._keep(figure, self._measure_plain(figure, worker))
        self._run_singles()
        self._run_batches()
        self._run_events()

    def measure_memory(self) -> None:
        """Resident memory after 10,000 devices have each reported once."""
        with self._copy(f"fleet_{MEMORY_DEVICES}") as url, servers.product(url) as server:
            fresh = server.memory()
            refused = _report_once(server.port, MEMORY_DEVICES)
            stored = count_rows(url, TELEMETRY)
            problems = [f"{refused} of {MEMORY_DEVICES} refused"] if refused else []
            if stored != MEMORY_DEVICES:
                problems.append(f"{stored} rows for {MEMORY_DEVICES} reports")
            self._keep("memory", {**server.memory(), "at_start": fresh, "problems": problems})

    def measure_stations(self) -> None:
        """Full syncs of charging stations, all at once."""
        with self._copy(f"fleet_{DEVICES}") as url:
            self._keep("stations", stations.measure(url, self.folder))

    def measure_claims(self) -> None:
        """One node and two; two nodes need PostgreSQL."""
        if self.store.name != "postgres":
            return
        self.store.make_template("claims", _fill("bench.claims", claims.TOKENS))
        found = claims.measure(lambda: self._copy("claims"), self.folder, self.seconds)
        self.say(f"claims: {found['rate']:,.0f}/s by one node; by two {found['gain']:.2f} of it")
        self._keep("claims", found)

    def measure_nodes(self) -> None:
        """One node, two, and one that is far from its database; they need PostgreSQL."""
        if self.store.name == "postgres":
            scripts = {"readings": self.single, "events": self.presses}
            self._keep("nodes", nodes.measure(lambda: self._copy(f"fleet_{DEVICES}"), scripts, self.seconds, self.say))

    def measure_million(self) -> None:
        """A large fleet on two nodes; they need PostgreSQL."""
        if self.store.name != "postgres":
            return
        self.say(f"{self.store.name:9} making {self.devices:,} devices")
        self.store.make_template("many", _fill("bench.many", self.devices))
        with self._copy("many") as url:
            self._keep("million", million.measure(url, self.folder, self.seconds, self.devices, self.say))

    def measure_pages(self) -> None:
        """What people's pages cost."""
        self.store.make_template("viewed", _fill("bench.fleet", pages.DEVICES, pages.OWNED))
        with (
            self._copy("viewed") as url,
            self._copy(f"fleet_{MEMORY_DEVICES}") as large_url,
            servers.product(url, LIMIT_PERSON_CALLS="100000/10") as server,
            servers.product(large_url) as large,
        ):
            self._keep("pages", pages.measure(server, large, self.folder, self.seconds))

    def measure_scale(self) -> None:
        """A year of history; on SQLite only: to make it takes minutes."""
        if self.store.name != "sqlite":
            return
        self.store.make_template("empty", _fill("bench.fleet", 0))
        with (
            self._copy("empty") as small,
            self._copy("empty") as large,
            self._copy(f"fleet_{MEMORY_DEVICES}") as fleet,
        ):
            for url, events_of_it in ((small, scale.SMALL), (large, scale.LARGE)):
                self.say(f"{self.store.name:9} making {events_of_it:,} events")
                _fill("bench.history", events_of_it)(url)
            self._keep("scale", scale.measure(small, large, fleet, self.say))

    def measure_fairness(self) -> None:
        """What others notice of one caller who means harm."""
        with self._copy(f"fleet_{DEVICES}") as url:
            self._keep("fairness", fairness.measure(url, self.folder, self.say, seconds=self.caller_seconds))

    def measure_trouble(self) -> None:
        """The rate after each trouble, of the rate before."""
        if self.store.name == "sqlite":
            self._keep("trouble", trouble.measure(self.folder, url=None))
            return
        with self._copy(f"fleet_{DEVICES}") as url:
            self._keep("trouble", trouble.measure(self.folder, url=url))

    def measure_moving(self) -> None:
        """A million events of an earlier system move in beside meters that send."""
        with self._copy(f"fleet_{DEVICES}") as url:
            self._keep("moving", moving.measure(self.folder, url=url))

    def measure_retention(self) -> None:
        """Old readings go beside meters that send."""
        with self._copy(f"fleet_{DEVICES}") as url:
            self._keep("retention", retention.measure(self.folder, url=url))

    def measure_ledger(self) -> None:
        """What the ledger costs in the write path."""
        self.store.make_template("empty", _fill("bench.fleet", 0))
        with self._copy("empty") as url:
            env = servers.product_environment(url)
            self._keep("ledger", json.loads(servers.run_module("bench.ledger", env=env)))

    def measure_money(self) -> None:
        """Statements and the dashboard of 500 outlets; on SQLite only: to make the history takes minutes."""
        if self.store.name != "sqlite":
            return
        self.store.make_template("empty", _fill("bench.fleet", 0))
        with self._copy("empty") as url:
            self.say(f"{self.store.name:9} making {money.EVENTS:,} events at {money.OUTLETS} outlets")
            _fill("bench.history", money.EVENTS, money.OUTLETS)(url)
            env = servers.product_environment(url)
            self._keep("money", json.loads(servers.run_module("bench.money", env=env)))

    def measure_alerts(self) -> None:
        """What the runner of alerts costs beside a large fleet."""
        self.store.make_template("watched", _fill("bench.fleet", alerts.DEVICES))
        with self._copy("watched") as url:
            _fill("bench.watched", alerts.DEVICES)(url)
            self._keep("alerts", alerts.measure(url, self.folder, self.seconds))

    def measure_influx(self) -> None:
        """Ours and InfluxDB in turns, where it is installed."""
        with ExitStack() as stack:
            urls = [stack.enter_context(self._copy(f"fleet_{DEVICES}")) for _ in influx.OURS]
            scripts, devices = {"single": self.single, "batch": self.batch}, {"single": DEVICES, "batch": BATCH_DEVICES}
            try:
                found = influx.measure(urls, scripts, self.folder, devices, self.seconds, self.say)
            except influx.InfluxUnavailable as error:
                self.say(f"[bold red]InfluxDB is left out: {error}[/]")
                return
            self._keep("influx", found)

    def _measure_plain(self, figure: str, worker: str) -> dict[str, Any]:
        with (
            self._copy("plain") as url,
            servers.plain(url, worker=WORKERS[worker], keep_connections=figure == "a_kept") as server,
        ):
            run_wrk(self.single, server.port, connections=2, seconds=1)
            return self._checked(url, server, self.single, PLAIN_CONNECTIONS, table=PLAIN_TELEMETRY)

    def _run_singles(self) -> None:
        template = f"fleet_{DEVICES}"
        with (
            self._copy(template) as our_url,
            self._copy(template) as idle_url,
            servers.product(our_url) as ours,
            servers.without_submit(ours, idle_url) as idle,
        ):
            for server in (idle, ours):
                run_wrk(self.single, server.port, connections=64, seconds=1)
            for connections in CONNECTIONS:
                load = run_wrk(self.single, idle.port, connections=connections, seconds=self.seconds)
                self._keep(f"b{connections}", {**load.as_dict(), "problems": _errors(load, idle)})
                self._keep(f"c{connections}", self._checked(our_url, ours, self.single, connections))
            stored = count_rows(idle_url, TELEMETRY)
            if stored:
                raise RuntimeError(f"the server of figure b stored {stored} rows: it is no measure of 'no submit'")
            self._keep("memory_after_load", {**ours.memory(), "problems": []})

    def _run_batches(self) -> None:
        template = f"fleet_{DEVICES}"
        with self._copy(template) as source:
            with servers.product(source) as server:
                run_wrk(self.batch, server.port, connections=BATCH_CONNECTIONS, seconds=1)
                found = self._checked(source, server, self.batch, BATCH_CONNECTIONS, batch=BATCH)
                self._keep("d", {**found, "readings": found["rate"] * BATCH})
            with self._copy(template) as target:
                env = servers.product_environment(target)
                answer = json.loads(servers.run_module("bench.direct", source, env=env))
                stored = count_rows(target, TELEMETRY)
                problems = [] if stored == answer["rows"] else [f"{stored} rows, {answer['rows']} inserted"]
                self._keep("e", {**answer, "problems": problems})

    def _run_events(self) -> None:
        """Events: by a plain view, by ours without submit, by ours; and the same ones again."""
        template = f"fleet_{DEVICES}"
        with self._copy("plain") as url, servers.plain(url, worker=WORKERS["gthread"], keep_connections=True) as plain:
            run_wrk(self.presses, plain.port, connections=2, seconds=1)
            self._keep("ea", self._checked(url, plain, self.presses, PLAIN_CONNECTIONS, table=PLAIN_EVENTS))
        with (
            self._copy(template) as our_url,
            self._copy(template) as idle_url,
            servers.product(our_url) as ours,
            servers.without_submit(ours, idle_url) as idle,
        ):
            for server in (idle, ours):
                run_wrk(self.presses, server.port, connections=64, seconds=1)
            for connections in (64, 256):
                load = run_wrk(self.presses, idle.port, connections=connections, seconds=self.seconds)
                self._keep(f"eb{connections}", {**load.as_dict(), "problems": _errors(load, idle)})
                found = self._checked(our_url, ours, self.presses, connections, table=EVENTS)
                self._keep(f"ec{connections}", found)
            run_wrk(self.repeats, ours.port, connections=64, seconds=1)
            load = run_wrk(self.repeats, ours.port, connections=64, seconds=self.seconds)
            self._keep("er64", {**load.as_dict(), "problems": _errors(load, ours)})

    def measure_held(self) -> None:
        """Ten thousand held polls."""
        with self._copy(f"fleet_{MEMORY_DEVICES}") as url, servers.product(url) as server:
            run_wrk(self.presses, server.port, connections=64, seconds=1)
            self._keep("held", events.measure_held(server, self.presses, self.seconds, self.say))

    def _checked(
        self,
        url: str,
        server: servers.Server,
        script: Path,
        connections: int,
        *,
        batch: int = 1,
        table: str = TELEMETRY,
    ) -> dict[str, Any]:
        """Load a server, and compare the replies with the rows it stored meanwhile.

        What was in flight when wrk stopped may be stored without a reply; a row for each reply must be there.
        """
        before = count_rows(url, table)
        load = run_wrk(script, server.port, connections=connections, seconds=self.seconds)
        rows = count_rows(url, table) - before
        problems = _errors(load, server)
        if not load.replies * batch <= rows <= (load.replies + connections) * batch:
            problems.append(f"{rows} rows for {load.replies} replies")
        return {**load.as_dict(), "rows": rows, "problems": problems}

    def _keep(self, figure: str, found: dict[str, Any]) -> None:
        self.figures[figure].append(found)
        value = found.get("readings") or found.get("rate")
        if value:
            text = f"{value:10,.0f}/s"
        else:
            text = f"{found['share']:10.0%}" if "share" in found else f"{found['rss_mb']:10.0f} MB"
        trouble = f"  INVALID: {'; '.join(found['problems'])}" if found["problems"] else ""
        self.say(f"{self.store.name:9} {figure:18} {text}{trouble}")

    @contextmanager
    def _copy(self, template: str) -> Iterator[str]:
        url = self.store.copy(template)
        try:
            yield url
        finally:
            self.store.drop(url)


def _errors(load: Load, server: servers.Server) -> list[str]:
    problems = [f"{count} x {name}" for name, count in load.errors.items() if count]
    if load.errors["bad_status"]:
        problems.append(f"refused so far: {server.refusals()}")
    return problems


def _fill(module: str, *counts: int) -> Callable[[str], None]:
    def fill(url: str) -> None:
        servers.run_module(module, *map(str, counts), env=servers.product_environment(url), seconds=FILL_SECONDS)

    return fill


def _report_once(port: int, devices: int, clients: int = 16) -> int:
    """Every device sends one reading, over a few kept connections; returns how many were not stored."""

    def send(first: int) -> int:
        refused = 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for number in range(first, devices, clients):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {device_key(number)}"}
            connection.request("POST", INGEST, reading(number), headers)
            answer = connection.getresponse()
            answer.read()
            refused += answer.status != 201
        connection.close()
        return refused

    with ThreadPoolExecutor(clients) as pool:
        refused = sum(pool.map(send, range(clients)))
    time.sleep(0.5)
    return refused
