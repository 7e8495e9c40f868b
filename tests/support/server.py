"""The real server, in a session of its own, so that it can be killed without a doubt.

    with live_server() as server:
        urlopen(server.url)
        server.kill()      # SIGKILL to all of its processes at once, as near to a power cut as a process can come
        server.start()     # the same port, the same database

`live_server()` makes a folder with a new SQLite database unless a DATABASE_URL is given; the server's output is in
`server.log`. Whatever happens, nothing of it is left behind. New databases are copies of one that was migrated once.

`manage.py serve` loads all of Django, to check and to migrate, before it becomes the server, which loads it again.
Where neither is of interest a test starts what it becomes, for three fifths; `by_serve` starts it as `make run` does.
"""

import atexit
import http.client
import os
import resource
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import md5
from pathlib import Path

import psutil
import psycopg

from bench.ports import free_port
from bench.postgres import PrivatePostgres, private_postgres
from ozontelemetry.server import WORKERS

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 15.0
END_SECONDS = 6.0
"""An end in order takes less, whatever is under way."""
MIGRATED_FILE = "OZONE_TESTS_MIGRATED_FILE"
DATA_KEY = "Zm9yLXRlc3RzLW9ubHktYW5kLWdvb2QtZm9yLW5vdGg="
ADMIN, PASSWORD = "admin", "of the operator in tests"
EMAIL = "admin@example.com"
"""The one that `serve` gives an operator."""
BECOME = "from ozontelemetry.server import become_server as b; b(host={!r}, port={}, workers={})"
"""What `serve` does last."""
SHELL_FILES = 1024
"""Open files a login shell allows before anybody raises the limit: a server must not depend on more."""


class ServerError(RuntimeError):
    """The server did not do what it was told; the message has the end of its log."""


class LiveServer:
    """One server, started and ended any number of times on the same port and database."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        settings: Mapping[str, str],
        files: int | None = None,
        prefix: tuple[str, ...] = (),
        by_serve: bool = True,
    ) -> None:
        self.folder = folder
        self.by_serve = by_serve
        """Through `manage.py serve`; else its database is as `serve` would leave it."""
        self.code = ROOT
        """Where its source is; another folder's at the next start."""
        self.prefix = prefix
        """A program that becomes the server, as `ip netns exec` does."""
        self.files = files
        """How many files each of its processes may open; None: as many as the tests may."""
        self.database_url = database_url
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = folder / "server.log"
        # Nothing of the environment of whoever runs the tests: only what a fresh shell has, and what is named here.
        self.environment = {
            **_fresh_shell(),
            "HOST": self.host,
            "PORT": str(self.port),
            "DATABASE_URL": database_url,
            "LOG_FILE": str(folder / "django.log"),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that a service manager would know: granian's main one. Its number is the group's, too."""
        if self._process is None:
            raise ServerError("the server is not running")
        return self._process.pid

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        return psutil.Process(self.pid).children(recursive=True)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def memory(self) -> int:
        """Resident bytes of the processes that answer requests."""
        return sum(worker.memory_info().rss for worker in self.workers)

    def start(self) -> float:
        """Starts it and waits for /readyz; returns the seconds that took."""
        began = time.monotonic()
        process = self.launch()
        while not self.is_ready():
            if process.poll() is not None:
                raise ServerError(f"the server ended with {process.returncode}:\n{self.log_tail()}")
            if time.monotonic() - began > READY_SECONDS:
                self.kill()
                raise ServerError(f"the server is not ready after {READY_SECONDS:g} s:\n{self.log_tail()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def launch(self) -> "subprocess.Popen[bytes]":
        """Starts it, and does not wait."""
        if self.is_running:
            raise ServerError("the server is running already")
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                [*self.prefix, sys.executable, *self._arguments()],
                cwd=self.code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_as_in_a_shell, self.files),
            )
        return process

    def _arguments(self) -> list[str]:
        if self.by_serve:
            return ["manage.py", "serve"]
        workers = int(self.environment.get("WORKERS", WORKERS[_vendor(self.database_url)]))
        return ["-c", BECOME.format(self.host, self.port, workers)]

    def is_ready(self) -> bool:
        """Whether /readyz says 200 now."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self, at: Callable[[], None] = lambda: None) -> None:
        """SIGKILL to every process of it, all in one call; returns when they are gone. Does nothing when none runs.

        With all else prepared, `at` is called, and the blow falls the moment it returns.
        """
        process, self._process = self._process, None
        if process is None:
            return
        family = _family(process.pid)
        # Its group's number cannot have passed to anybody else: the main process has not been waited for yet.
        try:
            at()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        if alive:
            raise ServerError(f"processes that survived SIGKILL: {alive}")

    def tell_to_end(self, ctrl_c: bool = False) -> None:
        """SIGTERM to the main process, as a service manager sends it; or SIGINT to all of them, as a terminal does."""
        if ctrl_c:
            os.killpg(self.pid, signal.SIGINT)
        else:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds: float = STOP_SECONDS) -> float:
        """Waits for its end after a signal, of every process; returns how long that took. Raises ServerError."""
        began = time.monotonic()
        process = self._process
        if process is None:
            return 0.0
        family = _family(process.pid)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"the server did not end within {seconds:g} s:\n{self.log_tail()}") from None
        _, alive = psutil.wait_procs(family, timeout=max(0.5, seconds - (time.monotonic() - began)))
        self._process = None
        if alive:
            for survivor in alive:
                survivor.kill()
            raise ServerError(f"processes that outlived the main one: {alive}")
        return time.monotonic() - began

    def stop(self) -> float:
        """Tells it to end; returns the seconds until everything had ended."""
        if not self.is_running:
            self.kill()
            return 0.0
        self.tell_to_end()
        return self.wait()

    def restart(self) -> None:
        """In order: SIGTERM, then a start."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def live_server(
    database_url: str | None = None,
    *,
    production: bool = False,
    slow_hashes: bool = False,
    by_serve: bool = False,
    folder: Path | None = None,
    start: bool = True,
    files: int | None = None,
    **settings: str,
) -> Iterator[LiveServer]:
    """A running server for the length of the block.

    In development mode, as `make run` has it; with `production` as a LAN would have it, plain HTTP allowed. The
    operator account is ADMIN with PASSWORD either way. Passwords have a quick hash (tests/live_settings.py) but with
    `slow_hashes`. With them, or `by_serve`, it is started as its users do, and its database may be empty. `settings`
    are further environment variables. A `folder` that is given is to hold the database, and is not removed.
    """
    own = Path(tempfile.mkdtemp(prefix="ozone-server-"))
    if database_url is None:
        file = (folder or own) / "db.sqlite3"
        database_url = f"sqlite:///{file}"
        shutil.copy(migrated_file(), file)
    named = {"DEVICE_DATA_KEY": DATA_KEY, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    named["DJANGO_SETTINGS_MODULE"] = "ozontelemetry.settings" if slow_hashes else "tests.live_settings"
    if production:
        named |= {
            "DJANGO_DEBUG": "0",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
            "ALLOW_PLAIN_HTTP": "1",
        }
    else:
        named["DJANGO_DEBUG"] = "1"
    by_serve = by_serve or slow_hashes
    named |= settings
    server = LiveServer(own, database_url, named, files, by_serve=by_serve)
    if not by_serve:
        _make_operator(database_url, named["DJANGO_SUPERUSER_PASSWORD"])
    try:
        if start:
            server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(own, ignore_errors=True)


def _make_operator(database_url: str, password: str) -> None:
    """The one that `serve` would make, unless the database has one: a row, which takes a millisecond."""
    digest = md5(b"salt" + password.encode(), usedforsecurity=False).hexdigest()
    row = (ADMIN, f"md5$salt${digest}", datetime.now(UTC).isoformat(sep=" "), True, True, True, "", "", EMAIL)
    insert = (
        "INSERT INTO auth_user"
        " (username, password, date_joined, is_superuser, is_staff, is_active, first_name, last_name, email)"
        " SELECT {} WHERE NOT EXISTS (SELECT 1 FROM auth_user WHERE is_superuser)"
    )
    if _vendor(database_url) == "sqlite":
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file, file:
            file.execute(insert.format("?, ?, ?, ?, ?, ?, ?, ?, ?"), row)
    else:
        with psycopg.connect(database_url) as database:
            database.execute(insert.format("%s, %s, %s::timestamptz, %s, %s, %s, %s, %s, %s").encode(), row)


def _vendor(database_url: str) -> str:
    return "sqlite" if database_url.startswith("sqlite") else "postgresql"


@contextmanager
def fresh_database(*, migrated: bool = True) -> Iterator[str | None]:
    """A database of the kind that this run of the suite is about; None: the server makes its own SQLite file."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield None
        return
    with _postgres_database(url, _migrated_database(url) if migrated else "template1") as name:
        yield f"{url.rpartition('/')[0]}/{name}"


@contextmanager
def _postgres_database(url: str, template: str) -> Iterator[str]:
    name = f"trouble_{secrets.token_hex(4)}"
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextmanager
def migrated_postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL of its own with the tables of this run's, where the suite runs on PostgreSQL: else without any."""
    url = os.environ.get("DATABASE_URL", "")
    with private_postgres() as server:
        if url.startswith("postgres"):
            source = f"{url.rpartition('/')[0]}/{_migrated_database(url)}"
            dump = subprocess.run([server.binaries / "pg_dump", source], check=True, capture_output=True).stdout
            psql = [str(server.binaries / "psql"), "-q", "-v", "ON_ERROR_STOP=1", str(server)]
            subprocess.run(psql, check=True, capture_output=True, input=dump)
        yield server


@cache
def migrated_file() -> Path:
    """An SQLite database with the tables and no rows, to be copied: of all runs, where tests/run.py has made one."""
    if named := os.environ.get(MIGRATED_FILE):
        return Path(named)
    folder = Path(tempfile.mkdtemp(prefix="ozone-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate(f"sqlite:///{folder}/db.sqlite3")
    return folder / "db.sqlite3"


@cache
def _migrated_database(url: str) -> str:
    database = _postgres_database(url, "template1")
    name = database.__enter__()
    atexit.register(database.__exit__, None, None, None)
    _migrate(f"{url.rpartition('/')[0]}/{name}")
    return name


def _migrate(database_url: str) -> None:
    environment = {**_fresh_shell(), "DATABASE_URL": database_url, "DJANGO_DEBUG": "1"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=True)


def _fresh_shell() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _family(pid: int) -> list[psutil.Process]:
    try:
        main = psutil.Process(pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _as_in_a_shell(files: int | None) -> None:
    """In the child: the soft limit of open files and the umask that a login shell has, whatever the tests have; and
    Ctrl-C heard, which a shell takes from its jobs in the background and from all that they start. `files` is the hard
    limit where there is to be another one."""
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    hard = files or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(SHELL_FILES, hard), hard))
