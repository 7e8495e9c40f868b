"""PostgreSQL's nodes: readings and events by one node of one process, by two on the same database, and by one whose
database is a millisecond away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final

from bench import servers
from bench.distance import a_millisecond_away
from bench.load import Load, run_wrk

CONNECTIONS: Final = 64
PLACES: Final = ("one", "two", "away")


def measure(
    copy: Callable[[], AbstractContextManager[str]],
    scripts: dict[str, Path],
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """A figure: of each script `NAME_one`, `NAME_two`, `NAME_away` a second; as shares of one `NAME_gain` of two nodes,
    `NAME_kept` of the one that is a millisecond away. `copy` gives a database with the scripts' devices."""
    figure: dict[str, Any] = {"problems": []}
    for place in PLACES:
        with copy() as url, ExitStack() as stack:
            if place == "away":
                url = stack.enter_context(a_millisecond_away(url))
            ports = [
                stack.enter_context(servers.product(url, WORKERS="1")).port for _ in range(2 if place == "two" else 1)
            ]
            for name, script in scripts.items():
                _load(script, ports, 1)
                loads = _load(script, ports, seconds)
                figure[f"{name}_{place}"] = sum(load.rate for load in loads)
                figure["problems"] += [
                    f"{count} x {error}" for load in loads for error, count in load.errors.items() if count
                ]
    for name in scripts:
        figure[f"{name}_gain"] = figure[f"{name}_two"] / figure[f"{name}_one"]
        figure[f"{name}_kept"] = figure[f"{name}_away"] / figure[f"{name}_one"]
        say(
            f"nodes: {name} {figure[f'{name}_one']:,.0f}/s by one; by two {figure[f'{name}_gain']:.2f} of it, "
            f"a millisecond away {figure[f'{name}_kept']:.2f}"
        )
    return {**figure, "rate": figure["readings_one"]}


def _load(script: Path, ports: list[int], seconds: float) -> list[Load]:
    with ThreadPoolExecutor(len(ports)) as threads:
        running = [
            threads.submit(run_wrk, script, port, connections=CONNECTIONS // len(ports), seconds=seconds)
            for port in ports
        ]
        return [run.result() for run in running]
