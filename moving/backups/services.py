"""Taking a backup beside a serving server, trying it, and putting it back."""

import secrets
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db import connection, connections

from moving.backups import postgres
from moving.backups.contents import Contents, differences, missing_keys, read_contents
from moving.backups.files import NoBackup, place, publish, read_about, require_room, sync, unfinished
from moving.backups.postgres import Progress
from moving.usage import is_open_elsewhere, others_on
from ozone.intake.backup import back_up


class Taken(NamedTuple):
    path: Path
    contents: Contents


def take(where: Path, *, now: datetime, progress: Progress) -> Taken:
    """A backup of DATABASE_URL's database as it is at one moment, as `where` or in that folder. Raises NoBackup, and
    then there is nothing new under a name of a backup."""
    is_file = connection.vendor == "sqlite"
    target = place(where, now, "sqlite3" if is_file else "dump")
    with unfinished(target) as part:
        if is_file:
            database = _database()
            if not database.is_file():
                raise NoBackup(f"There is no database {database}.")
            try:
                back_up(database, part, progress)
            except (OSError, sqlite3.Error) as error:
                raise NoBackup(f"No backup was made: {error}.") from None
            server, contents = sqlite3.sqlite_version, _holds(part)
        else:
            server, contents = postgres.dump(part, progress)
        about = {"engine": connection.vendor, "server": server, "made_at": now.isoformat()}
        publish(part, target, about, contents)
    return Taken(target, contents)


class Tried(NamedTuple):
    """`problems`: none after a backup that is good."""

    contents: Contents
    problems: list[str]
    made_at: str


def verify(backup: Path, *, progress: Progress) -> Tried:
    """Restores into a scratch database, which is gone afterwards, and compares. Raises NoBackup."""
    about, told = _about(backup)
    if connection.vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="ozone-restore-", dir=backup.parent) as folder:
            found = _restored(backup, Path(folder) / "scratch.sqlite3")
    else:
        with postgres.scratch_database(f"ozone_restore_{secrets.token_hex(4)}") as name:
            postgres.load(backup, name, progress)
            found = postgres.holds(name)
    return Tried(found, [*differences(told, found), *_unknown(told), *missing_keys(told)], about["made_at"])


def restore(backup: Path, *, now: datetime, replace: bool, progress: Progress) -> tuple[Tried, Path | None]:
    """Makes the backup DATABASE_URL's database. Returns also where the one that was there is now.

    Raises NoBackup while somebody has that database open, where one is there and is not to be replaced, and where
    what was restored is not what was backed up; then all is as it was.
    """
    about, told = _about(backup)
    connections.close_all()
    aside = None
    if connection.vendor == "sqlite":
        database = _database()
        aside = _check_place(database, now, replace=replace)
        with unfinished(database) as part:
            found = _restored(backup, part)
            _require(differences(told, found))
            sync(part)
            if aside is not None:
                for ending in ("-wal", "-shm", ""):
                    if (path := Path(f"{database}{ending}")).exists():
                        path.rename(f"{aside}{ending}")
            part.rename(database)
            sync(database.parent)
    else:
        with postgres.connected() as made:
            if others := others_on(made):
                raise NoBackup(f"{others} others are connected to this database: stop every server first.")
            if postgres.table_names(made):
                raise NoBackup("This database is not empty: make a new one (createdb), and name it in DATABASE_URL.")
        postgres.load(backup, None, progress)
        found = postgres.holds()
        _require(differences(told, found))
    return Tried(found, [*_unknown(told), *missing_keys(told)], about["made_at"]), aside


def _check_place(database: Path, now: datetime, *, replace: bool) -> Path | None:
    """Raises NoBackup where it is taken."""
    if not database.exists():
        if Path(f"{database}-wal").exists():
            raise NoBackup(f"{database}-wal is there without its database: look whose it is, and move it away.")
        return None
    if is_open_elsewhere(database):
        raise NoBackup(f"{database} is open: stop the server first.")
    if not replace:
        raise NoBackup(f"{database} is there. With --replace it is kept aside, and the backup takes its place.")
    return database.with_name(f"{database.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")


def _about(backup: Path) -> tuple[dict[str, Any], Contents]:
    about, told = read_about(backup)
    if about["engine"] != connection.vendor:
        raise NoBackup(f"This is a backup of {about['engine']}, and DATABASE_URL names {connection.vendor}.")
    return about, told


def _restored(backup: Path, target: Path) -> Contents:
    """A copy of a SQLite backup, looked through."""
    require_room(target.parent, backup.stat().st_size)
    target.touch(mode=0o600)
    shutil.copyfile(backup, target)
    with closing(sqlite3.connect(target)) as made:
        try:
            found = [row[0] for row in made.execute("PRAGMA integrity_check(3)")]
        except sqlite3.Error as error:
            found = [str(error)]
        if found != ["ok"]:
            raise NoBackup(f"SQLite finds it damaged: {'; '.join(found)}.")
    return _holds(target)


def _holds(path: Path) -> Contents:
    """Without a lock or a log of its own: nobody writes to it."""
    with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)) as made:
        names = made.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
        return read_contents(lambda sql: made.execute(sql).fetchall(), [row[0] for row in names])


def _unknown(told: Contents) -> list[str]:
    """A backup of a newer release is nothing that this one can serve."""
    from django.db.migrations.loader import MigrationLoader

    ours = {f"{app}.{name}" for app, name in MigrationLoader(None, ignore_no_migrations=True).disk_migrations}
    newer = [name for name in told.migrations if name not in ours]
    return [f"It was made by another release: {', '.join(newer[:3])} are not known here"] if newer else []


def _require(problems: list[str]) -> None:
    if problems:
        raise NoBackup("What was restored is not what was backed up: " + "; ".join(problems[:5]))


def _database() -> Path:
    return Path(str(connection.settings_dict["NAME"]))
