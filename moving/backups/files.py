"""A backup is two files: the copy itself, and beside it as `.json` what it holds. Neither has its name before it is
whole and on the disk."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from moving.backups.contents import Contents

SPARE: Final = 64 * 1024 * 1024
"""Bytes of a disk that stay free."""


class NoBackup(Exception):
    """There is none, or none can be made; the sentence says why and what to do."""


def place(where: Path, now: datetime, ending: str) -> Path:
    """Where a backup is to be: `where`, or in that folder under a name with the time. Raises NoBackup."""
    target = where / f"ozone-{now:%Y%m%dT%H%M%SZ}.{ending}" if where.is_dir() else where
    if not target.parent.is_dir():
        raise NoBackup(f"There is no folder {target.parent}.")
    for path in (target, beside(target)):
        if path.exists():
            raise NoBackup(f"{path} is there already, and is not overwritten.")
    return target


def beside(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.json")


def require_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise NoBackup(
            f"{folder} has {free / 1e6:,.0f} MB free, and up to {(size + SPARE) / 1e6:,.0f} MB are needed: nothing was"
            " written."
        )


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A path beside `target` that is free; nothing is left there after the block, nor of one that was killed before."""
    for mark in target.parent.glob(".ozone-*.lock"):
        with mark.open("rb") as file:
            if _is_free(file.fileno()):
                _remove(mark)
    mark = target.with_name(f".ozone-{secrets.token_hex(6)}.lock")
    with mark.open("x") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield mark.with_suffix(".part")
        finally:
            _remove(mark)


def _remove(mark: Path) -> None:
    """With all that was written under its name."""
    for path in mark.parent.glob(f"{mark.stem}.*"):
        path.unlink(missing_ok=True)


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def publish(part: Path, target: Path, told: dict[str, Any], contents: Contents) -> None:
    """Gives the copy its name, and what it holds the one beside."""
    about = {**told, "bytes": part.stat().st_size, "sha256": digest(part), "contents": contents.as_json()}
    page = part.with_name(f"{part.name}.json")
    page.touch(mode=0o600)
    try:
        page.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        sync(page)
        sync(part)
        page.rename(beside(target))
    finally:
        page.unlink(missing_ok=True)
    part.rename(target)
    sync(target.parent)


def read_about(backup: Path) -> tuple[dict[str, Any], Contents]:
    """What stands beside the backup. Raises NoBackup where there is none, or the backup is another one."""
    if not backup.is_file():
        raise NoBackup(f"There is no file {backup}.")
    try:
        about = json.loads(beside(backup).read_text(encoding="utf-8"))
        contents = Contents(**about["contents"])
    except FileNotFoundError:
        raise NoBackup(f"{beside(backup)} is missing, which says what {backup.name} holds.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise NoBackup(f"{beside(backup)} cannot be read.") from None
    if digest(backup) != about["sha256"]:
        raise NoBackup(f"{backup} is not what was written: its SHA-256 differs from the one in {beside(backup).name}.")
    return about, contents


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """A file or a folder onto the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
