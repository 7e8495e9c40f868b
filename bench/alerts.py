"""What alerts cost beside 100,000 devices that are watched: ingest with the runner and without it, in turns in one
process; a pass over nothing due; the longest look at a condition.
"""

import json
import signal
import statistics
import time
from pathlib import Path
from typing import Any

from bench import servers
from bench.databases import connect
from bench.load import run_wrk, write_script

DEVICES = 100_000
SENDING = 1_000
CONNECTIONS = 64
TURNS = 6
"""Pairs; the one begins with the runner, the next without it."""
SETTLES = 5.0
"""Seconds after the runner has ended or begun."""


def measure(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    """A figure. `url`: a database whose devices are watched (bench.watched).

    `share`: of the rate without the runner, the median of the pairs; `rate`, `alone_rate`: medians; and what
    `bench.watched look` says.
    """
    env = servers.product_environment(url)
    looked = json.loads(servers.run_module("bench.watched", "look", env=env))
    script = write_script(folder, "watched", devices=SENDING, batch=1)
    rates: dict[bool, list[float]] = {True: [], False: []}
    beats, problems = [], []
    with servers.instead("bench.quiet:application", url) as server:
        run_wrk(script, server.port, connections=CONNECTIONS, seconds=1)
        for number in range(2 * TURNS):
            is_beside = number % 4 in (0, 3)
            _signal(server, signal.SIGUSR1)
            if is_beside:
                time.sleep(1)  # until it has ended: a second one would begin beside it
                _signal(server, signal.SIGUSR2)
            time.sleep(SETTLES)
            before = _beat(url)
            load = run_wrk(script, server.port, connections=CONNECTIONS, seconds=max(seconds, 12))
            problems += [f"{count} x {name}" for name, count in load.errors.items() if count]
            rates[is_beside].append(load.rate)
            beats.append((is_beside, _beat(url) != before))
    problems += [f"the runner {'beat' if beat else 'did not beat'}" for beside, beat in beats if beside != beat]
    shares = [beside / alone for beside, alone in zip(rates[True], rates[False], strict=True)]
    return {
        "share": statistics.median(shares),
        "rate": statistics.median(rates[True]),
        "alone_rate": statistics.median(rates[False]),
        **looked,
        "problems": problems,
    }


def _signal(server: servers.Server, number: int) -> None:
    """To the one process that serves."""
    workers = server.process.children()
    for process in workers or [server.process]:
        process.send_signal(number)


def _beat(url: str) -> Any:
    """When the runner has last said that it looks: it does so every ten seconds."""
    connection = connect(url)
    try:
        return connection.execute("SELECT at FROM alerts_beat").fetchone()
    finally:
        connection.close()
