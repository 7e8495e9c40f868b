"""A private PostgreSQL server in a temporary folder, for benchmarks and tests.

    with private_postgres() as server:
        subprocess.run([...], env={**os.environ, "DATABASE_URL": server})

`server` is a `str`, the URL of an empty database (`postgres://ozone@127.0.0.1:PORT/ozone`), and the handle of the
server as well: `server.stop_now()` ends it as a power cut would, `server.start()` brings it back on the same port
with its data, `server.create_database("name")` gives the URL of a further empty database.

Settings are PostgreSQL's defaults, but for where it shares memory, with `fsync` and `synchronous_commit` on, so that a
commit is as durable as in production. It listens on 127.0.0.1 only and trusts everyone there: never put anything of
value into it.
Where there is no PostgreSQL, `PostgresUnavailable` says what to install.
"""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from bench.ports import free_port

START_SECONDS = 30.0  # includes the recovery after stop_now()
STOP_SECONDS = 20.0


class PostgresUnavailable(RuntimeError):
    """No PostgreSQL can be started here; the message says why and what to do."""


class PrivatePostgres(str):
    """The URL of a private server's database, and the means to stop and start that server."""

    folder: Path
    port: int
    binaries: Path
    _process: subprocess.Popen[bytes] | None

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new, still stopped cluster in `folder`."""
        binaries = find_binaries()
        port = free_port()
        server = cls(f"postgres://ozone@127.0.0.1:{port}/ozone")
        server.folder, server.port, server.binaries, server._process = folder, port, binaries, None
        if os.geteuid() == 0:
            os.chown(folder, *_unprivileged())
        options = ["-U", "ozone", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        made = subprocess.run(
            [str(binaries / "initdb"), "-D", str(folder / "data"), *options],
            capture_output=True,
            text=True,
            check=False,
            **run_as(folder),
        )
        if made.returncode:
            raise PostgresUnavailable(f"initdb failed: {made.stderr.strip()}")
        return server

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster; None while it is stopped."""
        return self._process.pid if self._process else None

    @property
    def version(self) -> str:
        """The running server's version, as it words it."""
        with self._connect("postgres") as connection:
            return connection.info.parameter_status("server_version") or "unknown"

    def start(self) -> None:
        """Start the server and return when it accepts connections; does nothing when it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # the path of a temporary folder may be too long for one
            "fsync": "on",
            "synchronous_commit": "on",
            # In the folder, and gone with it: what is ended by stop_now leaves files in /dev/shm else.
            "dynamic_shared_memory_type": "mmap",
        }
        command: list[str | Path] = [self.binaries / "postgres", "-D", self.folder / "data"]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **run_as(self.folder)
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._connect("postgres").close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop_now()
                    raise PostgresUnavailable(f"PostgreSQL did not start: {error}\n{self.log_tail()}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop in order: running transactions are rolled back, a checkpoint is written."""
        self._end(signal.SIGINT)

    def stop_now(self) -> None:
        """Stop at once, without a checkpoint, as after a power cut; the next start() recovers from the log."""
        self._end(signal.SIGQUIT)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database beside the first, empty or as a copy of one that nobody uses; returns its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self._connect("postgres") as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, and the connections that still use it."""
        with self._connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url_of(self, name: str) -> str:
        """URL of another database of this server."""
        return f"postgres://ozone@127.0.0.1:{self.port}/{name}"

    def log_tail(self) -> str:
        """The end of the server's log, for error messages."""
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-20:])

    def _connect(self, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.url_of(database), autocommit=True, connect_timeout=5)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_SECONDS)


@contextmanager
def private_postgres(within: str | None = None) -> Iterator[PrivatePostgres]:
    """A running private server for the length of the block; afterwards its process and folder are gone. `within`: where
    the folder is; by default where temporary files are."""
    folder = Path(tempfile.mkdtemp(prefix="ozone-postgres-", dir=within))
    server: PrivatePostgres | None = None
    try:
        server = PrivatePostgres.create(folder)
        server.start()
        server.create_database("ozone")
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """Folder of the newest PostgreSQL's programs: Debian's places first, then the PATH."""
    debian = sorted(
        (Path(path) for path in glob.glob("/usr/lib/postgresql/*/bin")),
        key=lambda path: float(path.parent.name) if path.parent.name.replace(".", "", 1).isdigit() else 0.0,
        reverse=True,
    )
    on_path = shutil.which("postgres")
    for folder in [*debian, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresUnavailable(
        "no PostgreSQL found: `apt-get install postgresql`, or put initdb and postgres on the PATH"
    )


def _unprivileged() -> tuple[int, int]:
    """User and group to run as where we are root, which PostgreSQL refuses."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise PostgresUnavailable("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")


def run_as(folder: Path) -> dict[str, Any]:
    """Arguments for subprocess: in `folder` (the caller's may be closed to the other user), and not as root."""
    options: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        uid, gid = _unprivileged()
        options |= {"user": uid, "group": gid, "extra_groups": []}
    return options
