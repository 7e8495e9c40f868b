"""How the server process is started: granian's options, each different from its default for a reason.

`python -m ozontelemetry.server` is granian's command line, whose processes hear that they are to end at every moment
of their lives:

  main process   held from `serve` on ── import: ends at once ── granian's handlers
  worker         held from its birth on ── import: ends at once ── held ── its event loop runs: granian's and ours
"""

import asyncio
import faulthandler
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

TARGET: Final = "ozontelemetry.asgi:application"
IDLE_SECONDS: Final = 53
"""After which an idle connection is closed: near no period at which anybody sends (docs/decisions/0016)."""
FILES_APART: Final = 256
"""Of a process: three for each thread's connection to SQLite, and what it had before."""
ENDS: Final = (signal.SIGTERM, signal.SIGINT)
WORKERS: Final = {"sqlite": 1, "postgresql": 2}
"""How many processes answer, by the kind of database, unless WORKERS says so."""
ARENAS: Final = "2"
"""Heaps of glibc in a process. By itself it makes eight a processor, and each keeps what a large reply of its threads
once took: after two thousand of the costliest requests 400 MB were resident, with two 330."""

STILL_SECONDS: Final = 60.0
"""How long the event loop may stand still. A turn of it takes far less on a loaded machine, and also on one that was
stopped for a while."""
PUT_OFF_SECONDS: Final = 10.0


def become_server(*, host: str, port: int, workers: int) -> NoReturn:
    """In place of this process, with its environment: a signal from whoever started us reaches the server itself, also
    one that comes now."""
    os.environ.setdefault("MALLOC_ARENA_MAX", ARENAS)
    if workers > 1:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", _metrics_folder(port))
    files = _raise_file_limit()
    hold_ends()
    arguments = granian_arguments(host=host, port=port, workers=workers, files=files)
    os.execv(sys.executable, [sys.executable, "-m", "ozontelemetry.server", *arguments])  # noqa: S606


def _metrics_folder(port: int) -> str:
    """Where the processes of one server add up their figures; empty at each start."""
    folder = Path(tempfile.gettempdir()) / f"ozone-metrics-{os.getuid()}-{port}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return str(folder)


def _raise_file_limit() -> int:
    """Each connection is a file: the soft limit, often 1,024, is less than a fleet. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 1_000_000 if hard == resource.RLIM_INFINITY else hard


def granian_arguments(
    target: str = TARGET, *, host: str = "127.0.0.1", port: int = 8000, workers: int = 1, files: int = 1_000_000
) -> list[str]:
    """The command line of granian, for one address and a number of processes, each of which may open so many files."""
    return [
        "--interface", "asgi",
        "--host", host,
        "--port", str(port),
        "--workers", str(workers),
        "--loop", "uvloop",
        # One thread for sockets beside the one for Python: on small machines two would only take turns.
        "--runtime-mode", "st",
        "--http", "1",
        "--no-ws",
        "--backlog", "4096",
        # Past this many requests at once it falls silent; a fleet that waits in polls is more than its default.
        # Nor are there more than files can be opened, some apart for databases: without one to accept a connection
        # with, it would ask for the next without a pause, and those that it has would go unanswered.
        "--backpressure", str(min(20_000, files - min(FILES_APART, files // 2))),
        # Its default closes an idle connection after 30 s, which is the firmware's poll period.
        "--http1-header-read-timeout", str(IDLE_SECONDS * 1000),
        "--ssl-protocol-min", "tls1.2",
        # The longest write is answered by then (WRITE_REPLY_SECONDS), and the end comes in under 6 s.
        "--workers-kill-timeout", "5",
        "--respawn-failed-workers",
        "--no-access-log",
        "--log-level", "warning",
        target,
    ]  # fmt: skip


def keep_files_private() -> None:
    """What this process and those that it starts write can be read by their owner alone, whatever the shell's umask:
    the database, its log and its copies hold keys and people, log files addresses."""
    os.umask(0o077)


def end_at_once() -> None:
    """For a start, when nothing has been accepted yet. Python's own handler of Ctrl-C raises an exception instead,
    which is lost where it strikes in a callback: the server then started nevertheless."""
    for number in ENDS:
        signal.signal(number, signal.SIG_DFL)


def hold_ends() -> None:
    """The signals to end wait, in this thread and in those that it starts, until `hear_ends`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)


def hear_ends() -> None:
    """What has waited is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)


def end_if_it_stands_still() -> None:
    """From the running event loop, from now on. A process whose loop stands still answers nobody, neither devices nor
    probes, and does not end either: so it is ended, all its frames in the log, and the main process starts another.

    Python's own fault handler does that, in a thread that needs nothing of Python: not even its lock.
    """
    faulthandler.dump_traceback_later(STILL_SECONDS, exit=True)
    asyncio.get_running_loop().call_later(PUT_OFF_SECONDS, end_if_it_stands_still)


def main() -> None:
    keep_files_private()
    end_at_once()
    hear_ends()
    # A worker is born with the main process's handlers, which do nothing in it.
    os.register_at_fork(before=hold_ends, after_in_parent=hear_ends)
    from granian.cli import entrypoint

    entrypoint()


if __name__ == "__main__":
    main()
