"""What can go wrong around a server: a lock that another process holds, a full disk, clients that misbehave."""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.server import LiveServer

_HOLD_SQLITE = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2])) if sys.argv[2:] else sys.stdin.read()
connection.execute("ROLLBACK")
"""
_HOLD_POSTGRES = """
import psycopg, sys, time
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("LOCK TABLE device_gateway_devicestate IN EXCLUSIVE MODE")
    print("held", flush=True)
    time.sleep(float(sys.argv[2])) if sys.argv[2:] else sys.stdin.read()
"""
TMPFS_MEGABYTES = 64
"""Room for SQLite's log between two checkpoints, and not much more."""


@contextmanager
def write_lock(server: LiveServer, seconds: float | None = None) -> Iterator[None]:
    """Another process holds the lock that every write needs: SQLite's one, on PostgreSQL the states' table.

    The block begins when it is held, and ends no earlier than it is released: after so many seconds, else at its end.
    """
    sqlite = server.database_url.startswith("sqlite:///")
    target = server.database_url.removeprefix("sqlite:///")
    command = [sys.executable, "-c", _HOLD_SQLITE if sqlite else _HOLD_POSTGRES, target]
    command += [] if seconds is None else [str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield
            holder.communicate(timeout=(seconds or 0) + 20)
            assert holder.returncode == 0
        finally:
            if holder.poll() is None:
                holder.kill()


@contextmanager
def small_disk() -> Iterator[Path]:
    """A folder on a file system of its own. Skips the test, and says why, where none can be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="ozone-disk-"))
    try:
        refusal = _mount(folder)
        if refusal:
            sentence = f"no small file system for the test of a full disk: {refusal}"
            if os.environ.get("CI") == "true":
                pytest.fail(sentence)
            print(f"SKIPPED: {sentence}", file=sys.__stderr__, flush=True)
            pytest.skip(sentence)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)
    finally:
        folder.rmdir()


def _mount(folder: Path) -> str:
    """Why it could not be mounted, else nothing."""
    if os.geteuid() != 0:
        return "only root can mount one"
    options = f"size={TMPFS_MEGABYTES}m,mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "ozone-test", folder], check=False, capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else ""


def fill(folder: Path) -> Path:
    """Takes every byte that is free; returns the file that holds them."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:  # no space left
                continue
    return filler


def connect(server: LiveServer, timeout: float = 20) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=timeout)


def head(server: LiveServer, path: str, *headers: str) -> bytes:
    """The beginning of a POST of JSON."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {server.host}:{server.port}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(reply: bytes) -> int:
    """The status of a reply's bytes; 0 where there is none."""
    return int(reply[9:12]) if reply.startswith(b"HTTP/1.1 ") else 0


def drip(server: LiveServer, request_head: bytes, seconds: float) -> tuple[bytes, float]:
    """Sends a body at a byte a second until there is a reply; the reply, and how long it took."""
    with connect(server) as client:
        began = time.monotonic()
        client.sendall(request_head)
        client.settimeout(1)
        while time.monotonic() - began < seconds:
            try:
                client.sendall(b"{")
                return client.recv(65536), time.monotonic() - began
            except TimeoutError:
                continue
        return b"", seconds


def send_regardless(server: LiveServer, *pieces: bytes) -> bytes:
    """Sends everything, as a client does that does not look for a reply before it has finished; then the reply."""
    with connect(server) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
        except OSError:
            pass  # the server has hung up: what it said may still be read
        reply = b""
        try:
            while chunk := client.recv(65536):
                reply += chunk
                if b"\r\n\r\n" in reply and reply.endswith(b"}"):
                    break
        except OSError:
            pass
        return reply


@contextmanager
def idle_connections(server: LiveServer, count: int) -> Iterator[list[socket.socket]]:
    """That many open connections, over which nothing is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 512
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{count} connections need {wanted} open files; this account may open {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(connect(server)) for _ in range(count)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
