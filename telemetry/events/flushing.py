"""Deleting all that devices have told, while they go on telling.

First what there is of events and readings, in the order in which it lies on the disk. Then device after device what is
left, in short transactions of which the last leaves nothing: a device's events, counts and status agree whatever
arrives meanwhile. What operators have made or decided stays: devices, outlets, machines, bindings, commands, and
refused events (a discarded one is to be acknowledged when it comes again).
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.contrib.admin.models import DELETION, LogEntry
from django.db import connection, transaction
from django.db.models import Max, Model, QuerySet

from device_gateway.models import Device, DeviceState, DeviceTelemetry, ReadingHour
from ozone.intake.backup import back_up
from ozone.intake.pauses import Pauses
from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests, Unavailable
from telemetry.models import DailyCount, DeviceStatus, HourlyCount, TelemetryEvent

logger = logging.getLogger("telemetry")

STEP_SECONDS: Final = 0.01
"""How long one transaction is to take; the devices' writes have as long before the next."""
ROWS: Final = (100, 10_000)
"""The fewest and the most to delete in one transaction."""
DEVICES: Final = 20
"""Devices of one transaction."""
DRAWN_FROM_EVENTS: Final[list[type[Model]]] = []
"""Tables of other rooms, with a `device`, that are nothing without its events; those that point to others first."""
_OF_READINGS: Final[tuple[type[Model], ...]] = (DeviceTelemetry, ReadingHour)
RETRY_SECONDS: Final = 60.0
"""After which whoever found one under way is to come again."""
_turn: Final = threading.Lock()
"""One at a time in a process: each copies all of a SQLite database first, and both would take the writer's time."""
objections: Final[list[Callable[[], None]]] = []
"""Of rooms above, asked before anything is done: each raises Conflict where what it has made needs what is here."""


class Flushed(NamedTuple):
    deleted: dict[str, int]
    """Rows by table."""
    backup: str | None
    """The name of the file beside the database; None where the database is not SQLite's."""


def flush(*, actor: Any, now: datetime) -> Flushed:
    """Deletes events, readings, statuses and counts, and notes who did. May be repeated. Of two in one process the
    second waits HEAVY_WAIT_SECONDS for its turn; those of several processes may run at once.

    Raises TooManyRequests where another is under way still, Unavailable where there could be no backup, Conflict where
    a room objects: then nothing has been deleted.
    """
    if not _turn.acquire(timeout=options().HEAVY_WAIT_SECONDS):
        raise TooManyRequests(RETRY_SECONDS, "Another flush is under way.")
    try:
        return _flush(actor, now)
    finally:
        _turn.release()


def _flush(actor: Any, now: datetime) -> Flushed:
    for object_to in objections:
        object_to()
    backup = _back_up(now) if connection.vendor == "sqlite" else None
    logger.warning("flush: begun by %s (account %d), backup %s", actor.get_username(), actor.pk, backup)
    entry = LogEntry.objects.create(
        user=actor, action_flag=DELETION, object_repr="all telemetry", change_message=f"Begun. Backup: {backup}"
    )
    tables: list[type[Model]] = [*_of_events(), *_OF_READINGS]
    deleted = Counter(dict.fromkeys((model._meta.db_table for model in tables), 0))
    pace = _Pace(deleted)
    for model in (TelemetryEvent, DeviceTelemetry):
        newest = model._default_manager.aggregate(Max("pk"))["pk__max"] or 0
        pace.repeat(partial(_delete, model._default_manager.filter(pk__lte=newest).order_by("pk")))
    numbers = list(Device.objects.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(numbers), DEVICES):
        for forget in (_forget_events, _forget_readings):
            left = set(numbers[first : first + DEVICES])
            pace.repeat(partial(forget, left), left)
    LogEntry.objects.filter(pk=entry.pk).update(change_message=f"Deleted {dict(deleted)}. Backup: {backup}")
    logger.warning("flush: ended, deleted %s", dict(deleted))
    return Flushed(dict(deleted), backup)


def _back_up(now: datetime) -> str:
    database = Path(connection.settings_dict["NAME"])
    target = database.with_name(f"{database.name}.before-flush-{now:%Y%m%dT%H%M%S.%fZ}")
    try:
        back_up(database, target)
    except (OSError, sqlite3.Error) as error:
        logger.warning("flush: no backup, so nothing is deleted: %s", error)
        raise Unavailable(
            "No backup could be made beside the database, so nothing has been deleted. The log says why.",
            code="backup_failed",
        ) from None
    return target.name


class _Pace:
    """Transactions of about STEP_SECONDS, however fast the disk is, with pauses as long between them."""

    def __init__(self, deleted: "Counter[str]") -> None:
        self._deleted = deleted
        self._rows = ROWS[0]
        self._pauses = Pauses()

    def repeat(self, forget: Callable[[int], "Counter[str]"], left: Collection[int] = ()) -> None:
        """Until it finds less to delete than it may, and nothing is left in `left`."""
        is_done = False
        while not is_done:
            with self._pauses.step(), transaction.atomic():
                began = time.monotonic()
                found = forget(self._rows)
            took = time.monotonic() - began
            self._deleted.update(found)
            is_done = found.total() < self._rows and not left
            if took > STEP_SECONDS:
                self._rows = max(ROWS[0], self._rows // 2)
            elif took < STEP_SECONDS / 2 and not is_done:
                self._rows = min(ROWS[1], self._rows * 2)


def _forget_events(devices: set[int], most: int) -> "Counter[str]":
    """Deletes up to `most` rows of the devices; returns how many of each table. Takes those out of `devices` of which
    nothing is left.

    The status rows are the lock, and go last.
    """
    free = _lock(DeviceStatus, devices)
    found: Counter[str] = Counter()
    for model in _of_events():
        found += _delete(model._default_manager.filter(device_id__in=free).order_by(), most - found.total())
    if found.total() < most:
        devices -= free
    return found


def _of_events() -> list[type[Model]]:
    """In the order in which their rows go."""
    return [TelemetryEvent, HourlyCount, DailyCount, *DRAWN_FROM_EVENTS, DeviceStatus]


def _forget_readings(devices: set[int], most: int) -> "Counter[str]":
    """As above. `last_seen` and `last_poll` stay: they tell whether a device is there, not what it said."""
    free = _lock(DeviceState, devices)
    found: Counter[str] = Counter()
    for model in _OF_READINGS:
        found += _delete(model._default_manager.filter(device__in=free).order_by(), most - found.total())
    if found.total() < most:
        DeviceState.objects.filter(device__in=free).update(
            latest_occurred_at=None, latest_received_at=None, latest_payload=None
        )
        devices -= free
    return found


def _lock(model: type[Model], devices: set[int]) -> set[int]:
    """Those of the devices that nobody writes now, and until the commit nobody will. Takes those out of `devices` that
    have no row: they have told nothing.

    It waits for none: the writer locks what polled after what told something, and might wait for one of these.
    """
    rows = model._default_manager.filter(device__in=devices)
    locked = set(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
    devices &= set(rows.values_list("pk", flat=True))
    return locked


def _delete(rows: QuerySet[Any], most: int) -> "Counter[str]":
    doomed = rows.model._default_manager.filter(pk__in=rows.values("pk")[:most])
    number, _ = doomed.delete() if most else (0, {})
    return Counter({rows.model._meta.db_table: number})
