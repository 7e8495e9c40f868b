"""Start and stop the servers that are measured, each as a process of its own, as its users start it."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
STOP_SECONDS = 15.0
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: psutil.Popen
    port: int

    def memory(self) -> dict[str, float]:
        """Resident megabytes of all its processes: `rss` counts shared pages for each, `pss` once (Linux only)."""
        processes = [psutil.Process(self.process.pid), *self.process.children(recursive=True)]
        found = [process.memory_full_info() for process in processes]
        answer = {"processes": float(len(found)), "rss_mb": sum(info.rss for info in found) / MEGABYTE}
        if all(hasattr(info, "pss") for info in found):
            answer["pss_mb"] = sum(info.pss for info in found) / MEGABYTE
        return answer

    def refusals(self) -> dict[str, int]:
        """By error code, how many requests the product has refused since its start, from its /metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return {
            code: int(float(count))
            for code, count in re.findall(r'^ozone_rejected_total{reason="(\w+)"} (\S+)', text, re.M)
        }


def environment(database_url: str, **more: str) -> dict[str, str]:
    """What a fresh shell has, and ours: settings of whoever runs the benchmark must not change the figures."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**inherited, "DATABASE_URL": database_url, "LOG_FILE": "", **more}


def product_environment(database_url: str, port: int = 0) -> dict[str, str]:
    """Development mode on the loopback address: exactly what `make run` uses."""
    return environment(database_url, DJANGO_DEBUG="1", HOST="127.0.0.1", PORT=str(port))


@contextmanager
def product(database_url: str, **more: str) -> Iterator[Server]:
    """(c) and (d): the product as `make run` starts it; `more` are further environment variables."""
    port = free_port()
    command = [sys.executable, "manage.py", "serve"]
    with _running(command, {**product_environment(database_url, port), **more}, port, "/readyz") as server:
        yield server


@contextmanager
def without_submit(ours: Server, database_url: str) -> Iterator[Server]:
    """(b): a second server like `ours`, with a writer that stores nothing (bench/nosubmit.py)."""
    with _alike(ours.process.cmdline(), ours.process.environ(), "bench.nosubmit:application", database_url) as server:
        yield server


@contextmanager
def instead(application: str, database_url: str) -> Iterator[Server]:
    """A server like the product, with another ASGI module."""
    with product(database_url) as ours:
        command, variables = ours.process.cmdline(), ours.process.environ()
    with _alike(command, variables, application, database_url) as server:
        yield server


@contextmanager
def _alike(command: list[str], variables: dict[str, str], application: str, database_url: str) -> Iterator[Server]:
    """With the very command and environment of another server, so that the two never differ in anything else."""
    port = free_port()
    command[command.index("--port") + 1] = str(port)
    command[-1] = application
    variables |= {"DATABASE_URL": database_url, "PORT": str(port)}
    with ExitStack() as stack:
        if "PROMETHEUS_MULTIPROC_DIR" in variables:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ozone-bench-"))
            variables["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield stack.enter_context(_running(command, variables, port, "/readyz"))


@contextmanager
def plain(database_url: str, *, worker: Sequence[str], keep_connections: bool) -> Iterator[Server]:
    """(a): the plain Django project under gunicorn with two workers."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "bench.plain.wsgi", "--workers", "2", *worker]
    command += ["--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    variables = environment(database_url, PLAIN_CONN_MAX_AGE="60" if keep_connections else "0")
    with _running(command, variables, port, None) as server:
        yield server


def run_module(module: str, *arguments: str, env: Mapping[str, str], seconds: float = 300) -> str:
    """Run one of our own modules to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def _running(command: list[str], env: dict[str, str], port: int, ready_path: str | None) -> Iterator[Server]:
    """The server for the length of the block. Its output is shown only when it does not start."""
    with tempfile.TemporaryFile("w+") as log:
        process = psutil.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            if not _becomes_ready(process, port, ready_path):
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)} is not ready:\n{log.read()[-4000:]}")
            yield Server(process, port)
        finally:
            _stop(process)


def _becomes_ready(process: psutil.Popen, port: int, path: str | None) -> bool:
    """Whether `path` answers 200 in time; without a path any answer will do."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path or "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        if status == 200 or (status and path is None):
            return True
        time.sleep(0.1)
    return False


def _stop(process: psutil.Popen) -> None:
    """Ask it to end; after a while end it and what it started."""
    if process.poll() is not None:
        return
    family = [*process.children(recursive=True), process]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in alive:
        survivor.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
