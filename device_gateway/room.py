"""How much room the database takes, how fast it grows, and when there will be none left.

Once an hour one process notes how it is. What a week has added is what the next one will.
"""

import ipaddress
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import connection, models
from django.db.models import Max, Min
from prometheus_client import Gauge

from ozone.wire.conf import options

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)
"""Growth is that of the last one, or of as much of it as has been noted."""
LEAST: Final = timedelta(hours=6)
"""Of less nothing is said."""
SOON: Final = 30.0
"""Days before the end in which people are warned."""
counted: Final[list[type[models.Model]]] = []
"""The tables that grow by themselves, each with a key that is a number and only grows."""
BYTES: Final = Gauge(
    "ozone_database_bytes",
    "Bytes of the database: used, free, and what a day adds",
    ["part"],
    multiprocess_mode="mostrecent",
)
ROWS: Final = Gauge(
    "ozone_database_rows",
    "Rows that devices have told: now, and what a day adds",
    ["part"],
    multiprocess_mode="mostrecent",
)
DAYS: Final = Gauge(
    "ozone_database_days", "Days until the room is full, where it grows", ["until"], multiprocess_mode="mostrecent"
)


class RoomSample(models.Model):
    """How it was at a moment."""

    at = models.DateTimeField()
    used = models.BigIntegerField()
    """Bytes that hold something."""
    free = models.BigIntegerField(null=True)
    """Bytes that it may still take; null where that cannot be seen."""
    rows = models.BigIntegerField()
    """That there are, of the `counted` tables: by their keys, so that those that were given up count as well."""
    told = models.BigIntegerField()
    """That there have ever been."""

    class Meta:
        app_label = "device_gateway"

    def __str__(self) -> str:
        return f"{self.used} bytes at {self.at}"


class Forecast(NamedTuple):
    """Bytes, rows; `days` until it is full. None is what is not known, and `days` also where it does not grow."""

    at: datetime
    used: int
    free: int | None
    rows: int
    bytes_a_day: int | None = None
    rows_a_day: int | None = None
    days: float | None = None

    @property
    def is_soon(self) -> bool:
        return self.days is not None and self.days < SOON


def look(now: datetime) -> None:
    """Notes how it is, where an hour has passed since it was noted; and tells the metrics."""
    newest = RoomSample.objects.order_by("-pk").first()
    if newest is None or not timedelta(0) <= now - newest.at < HOUR:
        RoomSample.objects.exclude(at__range=(now - WEEK - HOUR, now)).delete()
        sample(now).save()
    if found := forecast():
        _publish(found)


def forecast(newest: RoomSample | None = None) -> Forecast | None:
    """From the newest one that was noted, unless told; None where none was yet."""
    newest = newest or RoomSample.objects.order_by("-pk").first()
    if newest is None:
        return None
    now = Forecast(newest.at, newest.used, newest.free, newest.rows)
    first = RoomSample.objects.filter(at__gte=newest.at - WEEK, at__lte=newest.at - LEAST).order_by("at").first()
    if first is None:
        return now
    days = (newest.at - first.at) / timedelta(days=1)
    growth = round((newest.used - first.used) / days)
    is_ending = growth > 0 and newest.free is not None
    return now._replace(
        bytes_a_day=growth,
        rows_a_day=max(0, round((newest.told - first.told) / days)),
        days=(newest.free or 0) / growth if is_ending else None,
    )


def sample(now: datetime) -> RoomSample:
    """As it is now; it is not stored."""
    used, free = _on_sqlite() if connection.vendor == "sqlite" else _on_postgresql()
    if room := options().DATABASE_ROOM:
        free = max(0, room - used)
    rows = told = 0
    for model in counted:
        keys = model._default_manager.aggregate(first=Min("pk"), last=Max("pk"))
        if keys["last"] is not None:
            rows += keys["last"] - keys["first"] + 1
            told += keys["last"]
    return RoomSample(at=now, used=used, free=free, rows=rows, told=told)


def _on_sqlite() -> tuple[int, int | None]:
    """What is free: pages of the file that hold nothing, and the rest of the disk."""
    with connection.cursor() as cursor:
        size, pages, unused = (
            cursor.execute(f"PRAGMA {word}").fetchone()[0] for word in ("page_size", "page_count", "freelist_count")
        )
    return (pages - unused) * size, unused * size + shutil.disk_usage(
        Path(connection.settings_dict["NAME"]).parent
    ).free


def _on_postgresql() -> tuple[int, int | None]:
    """Its disk can be seen where it runs on this machine and tells where it has its files."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_database_size(current_database()), host(inet_server_addr()),"
            " (SELECT setting FROM pg_settings WHERE name = 'data_directory')"
        )
        used, address, folder = cursor.fetchone()
    if folder is None or not (address is None or ipaddress.ip_address(address).is_loopback):
        return used, None
    try:
        return used, shutil.disk_usage(folder).free
    except OSError:
        return used, None


def _publish(found: Forecast) -> None:
    figures: list[tuple[Gauge, str, Any]] = [
        (BYTES, "used", found.used),
        (BYTES, "free", found.free),
        (BYTES, "a_day", found.bytes_a_day),
        (ROWS, "now", found.rows),
        (ROWS, "a_day", found.rows_a_day),
        # One that does not grow is full after ever so many: a rule that waits for few needs no other case.
        (DAYS, "full", float("inf") if found.days is None and found.bytes_a_day is not None else found.days),
    ]
    for gauge, label, value in figures:
        if value is not None:
            gauge.labels(label).set(value)
