"""`python -m bench.ledger`: what the ledger costs in the write path, and what looking into a device takes.

`store_events` is measured with the marks that the ledger goes by and without them, in turns and in CPU time of its
thread, so that whatever else runs on the machine weighs on both alike.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Any

import django

DEVICES = 64
BATCHES = 40
ROUNDS = 12
_slim: dict[str, Any] = {}
"""The statement without the marks, made once as the other is."""


def main() -> None:
    """Measure, print the result as JSON."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    from device_gateway.models import Device

    devices = [Device.objects.create(device_id=f"ledger-{number}", name="").pk for number in range(DEVICES)]
    numbers = count(1)
    _store(devices, numbers)  # what is looked up once
    seconds = {True: 0.0, False: 0.0}
    for number in range(ROUNDS * 2):
        is_marked = bool(number % 2)
        with _as_it_is() if is_marked else _unmarked():
            seconds[is_marked] += _store(devices, numbers)
    presses = ROUNDS * BATCHES * DEVICES
    look_ms = _look(devices)
    json.dump(
        {
            "share": seconds[False] / seconds[True],
            "with_rate": presses / seconds[True],
            "without_rate": presses / seconds[False],
            "look_ms": look_ms,
            "problems": [],
        },
        sys.stdout,
    )


def _store(devices: list[int], numbers: Iterator[int]) -> float:
    """CPU seconds of some batches, a press of each device in each."""
    from django.db import connection, transaction

    from telemetry.events.payloads import read_event
    from telemetry.events.storing import EventArrival, store_events

    spent = 0.0
    for _ in range(BATCHES):
        number, now = next(numbers), datetime.now(UTC)
        told = {"event": "treatment", "treatment": "BASIC", "counter": number, "ts": now.isoformat(timespec="seconds")}
        arrivals = [
            EventArrival(device, now, [read_event({**told, "event_id": f"{device}-{number}"}, device, now)])
            for device in devices
        ]
        began = time.thread_time()
        with transaction.atomic():
            store_events(connection, arrivals)
        spent += time.thread_time() - began
    return spent


def _look(devices: list[int]) -> float:
    """CPU milliseconds for a device that has pressed once since it was last looked into."""
    from django.db import connection, transaction

    from ledger.epochs.services import look_through
    from telemetry.events.payloads import read_event
    from telemetry.events.storing import EventArrival, store_events

    for device in devices:
        look_through(device)
    now = datetime.now(UTC) + timedelta(seconds=1)
    told = {"event": "treatment", "treatment": "BASIC", "counter": 10**6, "ts": now.isoformat(timespec="seconds")}
    with transaction.atomic():
        store_events(
            connection,
            [
                EventArrival(device, now, [read_event({**told, "event_id": f"{device}-last"}, device, now)])
                for device in devices
            ],
        )
    began = time.thread_time()
    for device in devices:
        look_through(device)
    return (time.thread_time() - began) * 1000 / len(devices)


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _unmarked() -> Iterator[None]:
    """The status row without the two columns."""
    from ozone.intake.sql import BulkInsert
    from telemetry.models import DeviceStatus
    from telemetry.statuses import storing

    marks = {"touched", "touched_from"}
    places = [place for place, name in enumerate(storing._STATUS) if name not in marks]
    columns = [storing._STATUS[place] for place in places]
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    kept: tuple[Any, Callable[..., Any], Callable[..., Any]] = (
        storing._save,
        storing.LockedStatus.row,
        storing.LockedStatus.touch,
    )
    whole = storing.LockedStatus.row
    unmarked: Any = storing
    unmarked._save = _slim.setdefault(
        "save", BulkInsert(DeviceStatus, columns, f"ON CONFLICT (device_id) DO UPDATE SET {changes}")
    )
    pick = itemgetter(*places)
    unmarked.LockedStatus.row = lambda status, connection: pick(whole(status, connection))
    unmarked.LockedStatus.touch = lambda status, at: None
    try:
        yield
    finally:
        unmarked._save, unmarked.LockedStatus.row, unmarked.LockedStatus.touch = kept


if __name__ == "__main__":
    main()
