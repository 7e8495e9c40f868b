"""The server itself: its disk, its backups, its writer, its clock."""

import shutil
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from alerts.conditions.found import Facts, Found, Moment, clock, counted
from alerts.conditions.rules import Rules
from ozone.wire import metrics
from ozone.wire.clock import clock_watch
from ozone.wire.conf import options
from ozone.wire.times import iso
from ozone.wire.words import duration

DISK_FULL: Final = "disk_full"
BACKUP_OLD: Final = "backup_old"
WRITER_REFUSING: Final = "writer_refusing"
CLOCK_JUMPED: Final = "clock_jumped"

SYSTEM: Final = "system"
SELF: Final = "this server"
DAYS: Final = 7
LEAST_FREE: Final = 0.05
"""Of the disk: less than it is full soon, however slowly it fills."""
SAMPLED: Final = 3600.0
"""Seconds between two looks at the disk that are kept, for two days."""
SAMPLES: Final = 48
TREND: Final = 6
"""Looks, after which something can be said of how fast it fills."""
BACKUP_HOURS: Final = 30
REFUSALS: Final = ("queue_full", "queued_too_long", "commit_timeout", "unavailable")
REFUSED: Final = 10
REFUSED_WITHIN: Final = 300.0
"""Seconds."""


class _Kept:
    """What this process has seen. One that takes over begins anew: a trend is told some hours later."""

    disk: "deque[tuple[float, int]]" = deque(maxlen=SAMPLES)
    refusals: "deque[tuple[float, float]]" = deque(maxlen=16)


def disk_full(moment: Moment) -> Sequence[Found]:
    """The disk of the database (of SQLite's file, else of the program) is full within so many days, as it fills now."""
    days = Rules(DISK_FULL).number(DAYS)
    if days is None:
        return []
    usage = shutil.disk_usage(_folder())
    monotonic = time.monotonic()
    if not _Kept.disk or monotonic - _Kept.disk[-1][0] >= SAMPLED:
        _Kept.disk.append((monotonic, usage.free))
    left = days_left(_Kept.disk, usage.free, monotonic)
    if usage.free >= LEAST_FREE * usage.total and (left is None or left > days):
        return []
    facts = {"free_bytes": usage.free, "total_bytes": usage.total, "days_left": left and round(left, 1)}
    return [Found(DISK_FULL, SYSTEM, SELF, moment.now, facts)]


def days_left(samples: Sequence[tuple[float, int]], free: int, monotonic: float) -> float | None:
    """By how fast it has filled since the first of the samples (seconds, free bytes). None: it does not, or nobody
    knows yet."""
    if len(samples) < TREND:
        return None
    at, before = samples[0]
    filled = before - free
    return free / filled * (monotonic - at) / 86_400 if filled > 0 else None


def _folder() -> Path:
    if connection.vendor == "sqlite":
        return Path(str(connection.settings_dict["NAME"])).absolute().parent
    return Path(settings.BASE_DIR) if hasattr(settings, "BASE_DIR") else Path.cwd()


def backup_old(moment: Moment) -> Sequence[Found]:
    """The newest file of ALERT_BACKUP_FOLDER is older than so many hours, or there is none. Hidden ones do not count: a
    backup that was killed leaves such, and would seem to have been made."""
    hours = Rules(BACKUP_OLD).number(BACKUP_HOURS)
    folder = options().ALERT_BACKUP_FOLDER
    if hours is None or not folder:
        return []
    try:
        files = (file for file in Path(folder).iterdir() if file.is_file() and not file.name.startswith("."))
        newest = max((file.stat().st_mtime for file in files), default=None)
    except OSError as error:
        return [Found(BACKUP_OLD, SYSTEM, SELF, moment.now, {"newest": None, "error": str(error.strerror)})]
    made = None if newest is None else datetime.fromtimestamp(newest, UTC)
    if made is not None and moment.now - made <= timedelta(hours=hours):
        return []
    return [Found(BACKUP_OLD, SYSTEM, SELF, made or moment.now, {"newest": made and iso(made), "hours": hours})]


def writer_refusing(moment: Moment) -> Sequence[Found]:
    """So many writes were refused within five minutes: the database is too slow, or away."""
    wanted = Rules(WRITER_REFUSING).number(REFUSED)
    monotonic, refused = time.monotonic(), metrics.rejected(REFUSALS)
    kept = _Kept.refusals
    while kept and monotonic - kept[0][0] > REFUSED_WITHIN:
        kept.popleft()
    before = kept[0][1] if kept else refused
    kept.append((monotonic, refused))
    if wanted is None or refused - before < wanted:
        return []
    return [Found(WRITER_REFUSING, SYSTEM, SELF, moment.now, {"refused": int(refused - before)})]


def clock_jumped(moment: Moment) -> Sequence[Found]:
    """Within the last day, each once."""
    jump = clock_watch.last()
    if jump is None or Rules(CLOCK_JUMPED).number(1) is None:
        return []
    key = f"{SYSTEM}:{iso(jump.at)}"
    return [Found(CLOCK_JUMPED, key, SELF, jump.at, {"seconds": round(jump.seconds)})]


def forget() -> None:
    """As in a new process."""
    _Kept.disk.clear()
    _Kept.refusals.clear()


def says_disk_full(facts: Facts, since: datetime) -> str:
    free = int(facts.get("free_bytes") or 0) // 2**20
    left: Any = facts.get("days_left")
    soon = f" At this rate it is full in {duration(left * 86_400)}." if left is not None else ""
    return f"{free:,} MiB are free.{soon}"


def says_backup_old(facts: Facts, since: datetime) -> str:
    if error := facts.get("error"):
        return f"The folder of backups cannot be read: {error}."
    if not facts.get("newest"):
        return "There is no backup in the folder of backups."
    return f"The newest backup is of {clock(since)}; usual is one within {counted(facts, 'hours')} hours."


def says_writer_refusing(facts: Facts, since: datetime) -> str:
    return (
        f"{counted(facts, 'refused')} writes were refused within five minutes; devices keep them and send them again."
    )


def says_clock_jumped(facts: Facts, since: datetime) -> str:
    seconds = int(facts.get("seconds") or 0)
    way = "ahead" if seconds > 0 else "back"
    return f"The server's clock was set {way} by {duration(abs(seconds))}, to {clock(since)}."
