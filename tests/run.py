"""`make test`: the whole suite, as several runs of pytest side by side.

All go at once. Those with servers wait most of the time; those that only compute take what is left, less willing. Each
has a temporary folder of its own, which is removed with it, and its own PostgreSQL: what a page remembers there depends
on the transactions of the whole cluster.
What a run says is printed whole when it has ended, and pytest's closing lines stand together at the end. Arguments
are handed to every pytest (`python -m tests.run -k claim`). With LONG_TESTS=1 (`make nightly`) what has a long form
takes it.

With `--fast` (`make test-fast`) neither what starts servers nor what is thorough, and of a table a few cases.

What measures how long others wait, or how long a failover takes, comes after all else then, and has the machine alone.

With CI=true a missing part is a failure; elsewhere it is installed when we are root, else skipped and said so.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import needs
from tests.support.length import IS_LONG
from tests.support.server import MIGRATED_FILE, ROOT, migrated_file

COMPILED_ONCE = {"PYTHONDONTWRITEBYTECODE": ""}
"""Whatever the shell says: to read the tests and rewrite their assertions takes half a minute, which each run would."""
MEMORY, ROOM = Path("/dev/shm"), 2 << 30
"""A file system in memory, and the bytes that are to be free in it."""
NO_TESTS = 5
"""pytest's exit code where `-k` leaves a run nothing."""


@dataclass(frozen=True)
class Run:
    """One pytest. `postgres`: on PostgreSQL. `nice`: what only computes is done when it is done: those that start
    servers have deadlines, and go first. What computes longest is a little more willing, so that all end together.
    """

    name: str
    marks: str
    arguments: tuple[str, ...] = ()
    postgres: bool = False
    nice: int = 0


# By day PostgreSQL is asked what it stores, finds, counts and locks. What pages and replies look like is the same on
# either database; their queries run once each in tests/test_query_budgets.py. What two people do at once is not.
ON_POSTGRESQL = (
    "alerts",
    "device_gateway",
    "ledger",
    "moving",
    "ozone/intake",
    "ozone/webapi/tests/test_lockout.py",
    "ozone/webapi/tests/test_register.py",
    "pages/tests/finding",
    "pages/tests/kit",
    "pages/tests/money",
    "pages/tests/tokens",
    "stations",
    "telemetry",
    "tests",
)
AT_NIGHT = ("ozone/webapi", "pages")
CASES_ON_POSTGRESQL = 2
"""Of a table, by day: more vary what is told, and not what is asked, but for those marked `each_case`."""
# Wire formats, checks and texts, and what speaks HTTP only.
ON_SQLITE_ALONE = ("ozone/wire", "ozontelemetry", "simulators")
# Servers and browsers only: to import the clients of a browser and of a fuzzer takes seconds, which the others save.
WITH_SERVERS = ("tests/browser", "tests/ha", "tests/live", "tests/nodes")
_UNREAD = tuple(f"--ignore={folder}" for folder in WITH_SERVERS)

# A run without servers is one process that computes: as two it is no longer than the others.
UPPER = ("device_gateway", "pages", "telemetry")
_OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
_LOWER = tuple(folder for folder in _OPTIONS["testpaths"] if folder not in UPPER)
FAILOVER, FAIRNESS = "tests/ha", "tests/live/test_fairness.py"
_BESIDE_OTHERS = (f"--ignore={FAIRNESS}",) if IS_LONG else ()
IN_PROCESS = "not browser and not real_server"
ON_EITHER = f"not sqlite_only{'' if IS_LONG else ' and not alike'}"

# A run names its folders where it can: to read and compile all tests takes half a minute.
RUNS = (
    Run(
        "live servers on PostgreSQL",
        f"real_server and {ON_EITHER}",
        # The fuzzer is SQLite's, and takes five seconds to be imported.
        (
            *(() if IS_LONG else (FAILOVER,)),
            *("tests/live", "tests/nodes", "--ignore=tests/live/test_schema_fuzz.py"),
            *_BESIDE_OTHERS,
        ),
        postgres=True,
    ),
    Run("live servers on SQLite, from n", "real_server", ("tests/live", "--ignore-glob=tests/live/test_[a-m]*")),
    Run(
        "live servers on SQLite, to m",
        "real_server",
        ("tests/live", "--ignore-glob=tests/live/test_[n-z]*", *_BESIDE_OTHERS),
    ),
    Run("clients and commands", "real_server", ("moving", "ozontelemetry", "stations", "tests/clients")),
    Run("browser", "browser", ("tests/browser",)),
    Run(
        "PostgreSQL",
        f"{IN_PROCESS} and {ON_EITHER}",
        (*ON_POSTGRESQL, *(AT_NIGHT if IS_LONG else (f"--cases={CASES_ON_POSTGRESQL}",)), *_UNREAD),
        postgres=True,
        nice=4,
    ),
    Run("SQLite, the rest", IN_PROCESS, (*_LOWER, *_UNREAD), nice=5),
    Run("SQLite, most", IN_PROCESS, UPPER, nice=5),
)
ALONE_RUNS = (
    Run("measured on SQLite", "real_server", (FAIRNESS,)),
    Run("measured on PostgreSQL", f"real_server and {ON_EITHER}", (FAILOVER, FAIRNESS), postgres=True),
)
"""At night, one after the other."""
FAST = f"{IN_PROCESS} and not thorough"
_MONEY = ("alerts", "ledger", "moving", "stations")
FAST_RUNS = (
    Run("the rest", FAST, (*(folder for folder in _LOWER if folder not in _MONEY), *_UNREAD)),
    Run("alerts, money, stations", FAST, _MONEY),
    Run("gateway and telemetry", FAST, ("device_gateway", "telemetry")),
    Run("pages", FAST, ("pages",)),
)
CASES = 4
"""Of a table, with `--fast`: those that stand first."""


@dataclass(frozen=True)
class Ended:
    """How a run ended, with all it said."""

    run: Run
    code: int
    seconds: float
    output: str
    closing: str = field(init=False)

    def __post_init__(self) -> None:
        lines = self.output.rstrip().splitlines()
        object.__setattr__(self, "closing", lines[-1] if lines else "")


def main() -> int:
    """1 when a run failed."""
    arguments = sys.argv[1:]
    is_fast = "--fast" in arguments
    if is_fast:
        arguments = [*(word for word in arguments if word != "--fast"), f"--cases={CASES}"]
    else:
        _install()
    began = time.monotonic()
    os.environ[MIGRATED_FILE] = str(migrated_file())
    runs = [run for run in (FAST_RUNS if is_fast else RUNS) if not run.postgres or needs.postgresql()]
    print(f"{len(runs)} runs side by side: {', '.join(run.name for run in runs)}", flush=True)
    ended = _side_by_side(runs, arguments)
    for run in ALONE_RUNS if IS_LONG and not is_fast else ():
        if not run.postgres or needs.postgresql():
            ended += _side_by_side([run], arguments)
    failed = [done for done in ended if done.code and not (arguments and done.code == NO_TESTS)]
    for done in failed:
        print(f"FAILED: {done.run.name}, exit code {done.code}")
    print(f"\n{len(ended)} runs in {time.monotonic() - began:.0f} s")
    for done in ended:
        print(f"— {done.run.name}, {done.seconds:.0f} s\n{done.closing}")
    return 1 if failed else 0


def _side_by_side(runs: list[Run], arguments: list[str]) -> list[Ended]:
    ended = []
    with ThreadPoolExecutor(len(runs)) as threads:
        for future in as_completed([threads.submit(_run, run, arguments) for run in runs]):
            done = future.result()
            ended.append(done)
            print(f"\n===== {done.run.name}, {done.seconds:.0f} s =====\n{done.output}", flush=True)
    return ended


def _install() -> None:
    """Whatever tests need beside Python."""
    needs.chromium()
    needs.javac()
    needs.curl()
    needs.nginx()
    needs.redis()
    needs.zbarimg()
    needs.systemd_analyze()
    needs.faketime()
    needs.cluster()
    needs.gcc()
    needs.riscv()
    needs.micropython()
    needs.arduino()


def _run(run: Run, arguments: list[str]) -> Ended:
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="ozone-tests-", ignore_cleanup_errors=True) as folder,
        _database(run, folder) as url,
    ):
        Path(folder).chmod(0o711)  # a PostgreSQL of a test's own, not being root, has its folder in it
        environment = {**os.environ, "TMPDIR": folder, **COMPILED_ONCE, "DATABASE_URL": url}
        pytest = [sys.executable, "-m", "pytest", "-q", "-m", run.marks, *run.arguments, *arguments]
        done = subprocess.run(
            ["nice", "-n", str(run.nice), *pytest],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    return Ended(run, done.returncode, time.monotonic() - began, done.stdout)


@contextmanager
def _database(run: Run, folder: str) -> Iterator[str]:
    """The URL of a run's own. What only computes has it in memory, where none of its thousands of commits waits for a
    disk: nobody is to keep what they store."""
    within = str(MEMORY) if run.nice and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    if not run.postgres:
        with tempfile.TemporaryDirectory(prefix="ozone-database-", dir=within or folder) as place:
            yield f"sqlite:///{place}/db.sqlite3"
        return
    from bench.postgres import private_postgres

    with private_postgres(within) as server:
        yield str(server)


if __name__ == "__main__":
    sys.exit(main())
