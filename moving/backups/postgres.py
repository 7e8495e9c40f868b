"""`pg_dump` and `pg_restore`, of the server's own version, told of the database by their environment: a command line
can be read by everybody on the machine."""

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from django.db import connection as django_connection

from moving.backups.contents import Contents, read_contents
from moving.backups.files import NoBackup, require_room

_LOOK: Final = 0.2
"""Seconds between two looks at how far a program is."""

Connection = psycopg.Connection[Any]
Progress = Callable[[int, int | None], None]
"""Told how many of how many bytes are done."""


@contextmanager
def connected(database: str | None = None) -> Iterator[Connection]:
    """A connection of its own to DATABASE_URL's server, in autocommit, with plain rows and times in UTC."""
    told = django_connection.get_connection_params()
    parameters = {name: value for name, value in told.items() if name not in _OURS}
    try:
        with psycopg.connect(**{**parameters, **({"dbname": database} if database else {})}, autocommit=True) as made:
            made.execute("SET TIME ZONE 'UTC'")
            yield made
    except psycopg.Error as error:
        raise NoBackup(f"PostgreSQL: {str(error).partition(chr(10))[0]}") from None


_OURS: Final = ("cursor_factory", "context", "prepare_threshold")
"""Of Django's connections, and not of libpq's."""


def dump(target: Path, progress: Progress) -> tuple[str, Contents]:
    """Writes the database as it is at one moment, in pg_dump's own format. Returns the server's version and what the
    dump holds."""
    with connected() as made:
        made.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _one(made, "SELECT pg_export_snapshot()")
        tables = table_names(made)
        size = sum(_one(made, f"SELECT pg_table_size('\"{name}\"')") for name in tables)
        require_room(target.parent, size // 4)  # compressed, and without its indexes
        program = _program("pg_dump", made)
        target.touch(mode=0o600)
        _run(
            [program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"],
            made,
            lambda: progress(target.stat().st_size, None),
        )
        contents = read_contents(lambda sql: made.execute(sql).fetchall(), tables)
        return str(made.info.parameter_status("server_version")), contents


def load(backup: Path, database: str | None, progress: Progress) -> None:
    """Restores into an empty database, all or nothing."""
    with connected(database) as made:
        program = _program("pg_restore", made)
        told = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
        name = f"--dbname={made.info.dbname}"
        _run([program, *told, name, str(backup)], made, lambda: progress(_one(made, _SIZE), None))


_SIZE: Final = "SELECT pg_database_size(current_database())"


def holds(database: str | None = None) -> Contents:
    with connected(database) as made:
        return read_contents(lambda sql: made.execute(sql).fetchall(), table_names(made))


def table_names(made: Connection) -> list[str]:
    rows = made.execute("SELECT tablename FROM pg_tables WHERE schemaname = ANY(current_schemas(false))").fetchall()
    return sorted(row[0] for row in rows)


@contextmanager
def scratch_database(name: str) -> Iterator[str]:
    """A new database on the same server, dropped after the block."""
    with connected() as made:
        try:
            made.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        except psycopg.errors.InsufficientPrivilege:
            user = made.info.user
            raise NoBackup(
                f"A scratch database is needed: give {user} the right (ALTER ROLE {user} CREATEDB)."
            ) from None
        try:
            yield name
        finally:
            made.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _one(made: Connection, sql: str) -> Any:
    row = made.execute(sql).fetchone()
    assert row is not None
    return row[0]


def _program(name: str, made: Connection) -> str:
    """Its path: of the server's version, else of the next newer one. An older one refuses the server."""
    wanted = made.info.server_version // 10_000
    found: dict[int, str] = {}
    for path in (*glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), shutil.which(name)):
        if path is None:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        if version := re.search(r"\) (\d+)", said):
            found.setdefault(int(version[1]), path)
    fit = [version for version in found if version >= wanted]
    if not fit:
        have = f", and here are {sorted(found)}" if found else ""
        raise NoBackup(f"{name} of PostgreSQL {wanted} is needed{have}: install postgresql-client-{wanted}.")
    return found[min(fit)]


def _run(command: list[str], made: Connection, look: Callable[[], None]) -> None:
    info = made.info
    told = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user, "PGDATABASE": info.dbname}
    # As the connection was made: sslmode and the like. A proxy or several hosts: the one that has answered.
    given = info.get_parameters()
    names = {option.keyword.decode(): option.envvar for option in psycopg.pq.Conninfo.get_defaults()}
    more = {names[key].decode(): value for key, value in given.items() if names.get(key)}  # type: ignore[union-attr]
    secret = {"PGPASSWORD": info.password} if info.password else {}
    process = subprocess.Popen(  # noqa: S603
        command, env={**os.environ, **more, **told, **secret}, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                _, said = process.communicate(timeout=_LOOK)
                break
            except subprocess.TimeoutExpired:
                look()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise NoBackup(f"{Path(command[0]).name} failed: {said.decode(errors='replace').strip()[-1000:]}")
