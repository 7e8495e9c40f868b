"""`python -m bench`: measure the write path on SQLite and PostgreSQL.

Ends with status 1 when a figure is invalid (a refused request, rows that do not match the replies); a missed target
is a result, not an error.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import fairness, million
from bench.databases import PostgresStore, SqliteStore, Store
from bench.load import LoadUnavailable, find_wrk
from bench.machine import MEMORY_FILE_SYSTEMS, conditions, describe
from bench.postgres import PostgresUnavailable, private_postgres
from bench.report import show, summarise
from bench.rounds import Bench
from bench.servers import ROOT

RATES = "rates"
PARTS: dict[str, Callable[[Bench], None]] = {
    "memory": Bench.measure_memory,
    "held": Bench.measure_held,
    "claims": Bench.measure_claims,
    "nodes": Bench.measure_nodes,
    "million": Bench.measure_million,
    "pages": Bench.measure_pages,
    "stations": Bench.measure_stations,
    "scale": Bench.measure_scale,
    "fairness": Bench.measure_fairness,
    "trouble": Bench.measure_trouble,
    "moving": Bench.measure_moving,
    "retention": Bench.measure_retention,
    "ledger": Bench.measure_ledger,
    "money": Bench.measure_money,
    "alerts": Bench.measure_alerts,
    "influx": Bench.measure_influx,
}
"""Each is measured once, after the runs that measure the rates."""
LONG = ("scale", "million", "fairness", "trouble", "moving", "retention", "money", "alerts", "influx")
"""Those that take minutes, however short the measurements."""


def main() -> int:
    """Measure, print, keep the results."""
    options = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    # As an exception, so that servers are stopped and temporary files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        find_wrk()
    except LoadUnavailable as error:
        console.print(f"[bold red]Cannot measure: {error}[/]")
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ozone-bench-")))
        # What servers leave in their temporary folder (metrics of several processes) then goes with ours.
        os.environ["TMPDIR"] = str(folder)
        facts: dict[str, Any] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "options": vars(options),
            **describe(folder),
        }
        if facts["machine"]["file_system"] in MEMORY_FILE_SYSTEMS:
            console.print("[bold red]The temporary folder is in memory, where a commit costs nothing: set TMPDIR.[/]")
        console.print(f"{facts['machine']}\n{facts['versions']}", markup=False)
        benches = []
        for store in _stores(options.only, folder, stack, console):
            own = folder / store.name
            own.mkdir()
            lengths = (options.devices, options.caller_seconds)
            benches.append(Bench(store, own, options.seconds, console.print, *lengths))
        try:
            facts["conditions"] = _measure(benches, options, folder, console)
        except (KeyboardInterrupt, RuntimeError, subprocess.SubprocessError) as error:
            # Minutes of measurements are worth showing, even when the rest is missing.
            facts["aborted"] = f"{type(error).__name__}: {error}"
        results = {bench.store.name: _result(bench) for bench in benches}
    show(console, results)
    if "aborted" in facts:
        console.print(f"ABORTED, these figures are incomplete. {facts['aborted']}", style="bold red", markup=False)
    console.print(f"Everything is in {_save({**facts, 'results': results}).relative_to(ROOT)}")
    return 1 if "aborted" in facts or any(result["summary"]["invalid"] for result in results.values()) else 0


def _measure(benches: list[Bench], options: argparse.Namespace, folder: Path, console: Console) -> list[dict[str, Any]]:
    """The runs, then every other part once; returns the conditions at the start of each run and of the parts."""
    for bench in benches:
        console.print(f"{bench.store.name}: preparing")
        bench.prepare()
    found = []
    if RATES in options.parts:
        for bench in benches:
            bench.choose_workers()
        for number in range(options.runs):
            found.append(conditions(folder))
            console.print(f"run {number + 1} of {options.runs}: {found[-1]}", markup=False)
            for bench in benches:
                bench.run()
    found.append(conditions(folder))
    console.print(f"parts that are measured once: {found[-1]}", markup=False)
    for bench in benches:
        for name, measure in PARTS.items():
            if name in options.parts:
                measure(bench)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Benchmarks of the write path.")
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the medians are shown (5)")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement (5)")
    parser.add_argument(
        "--caller-seconds", type=float, default=fairness.SECONDS, help="length of each hostile caller of fairness (20)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one run of one second each; no " + ", ".join(LONG),
    )
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one database instead of both")
    parser.add_argument("--devices", type=int, default=million.DEVICES, help="of the part million (1,000,000)")
    parts = [RATES, *PARTS]
    parser.add_argument("--part", choices=parts, dest="parts", action="append", help="this instead of all; repeatable")
    options = parser.parse_args()
    if options.quick:
        options.runs = options.seconds = 1
    options.parts = options.parts or [part for part in parts if not options.quick or part not in LONG]
    if min(options.runs, options.seconds, options.caller_seconds) < 1:
        parser.error("--runs, --seconds and --caller-seconds must be 1 or more")
    if options.devices < million.LEAST:
        parser.error(f"--devices must be {million.LEAST} or more")
    return options


def _stores(only: str | None, folder: Path, stack: ExitStack, console: Console) -> list[Store]:
    """The databases to measure on; a missing PostgreSQL is said aloud and left out."""
    stores: list[Store] = []
    if only != "postgres":
        stores.append(SqliteStore(folder))
    if only != "sqlite":
        try:
            stores.append(PostgresStore(stack.enter_context(private_postgres())))
        except PostgresUnavailable as error:
            console.print(f"[bold red]PostgreSQL is left out: {error}[/]")
            if only == "postgres":
                raise SystemExit(2) from error
    return stores


def _result(bench: Bench) -> dict[str, Any]:
    return {
        "version": bench.store.version(),
        "plain_workers": bench.plain_workers,
        "summary": summarise(bench.figures),
        "runs": bench.figures,
    }


def _save(everything: dict[str, Any]) -> Path:
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(everything, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
