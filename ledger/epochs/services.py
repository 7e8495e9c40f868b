"""Looking into what counters say: a step at a time, of a device that was touched.

Whoever stores something that bears on a device's counters touches its status, in the same transaction: `touched` grows,
and `touched_from` is the earliest time of it. Whoever looks into it reads both first and everything else after it, and
clears the mark in the transaction that writes the result, if nothing was stored since. So nothing stored is overlooked,
and any number of processes may look into the same device at once: one of them writes, the others look again.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet

from ledger.epochs.account import account, account_anew
from ledger.epochs.found import LONG_AGO
from ledger.epochs.keeping import Changes, Contradiction
from ledger.epochs.reading import facts_of
from telemetry.models import DeviceStatus

logger = logging.getLogger("ledger")

TRIES: Final = 50
"""How often somebody begins again because the device told something meanwhile, before it is left to the next time."""
_begun_again: Final[set[int]] = set()
"""Devices that have contradicted themselves, and are looked into again."""


class _Mark(NamedTuple):
    touched: int
    since: datetime


def touched_devices() -> "QuerySet[DeviceStatus]":
    return DeviceStatus.objects.filter(touched_from__isnull=False)


def look_into(device: int) -> bool:
    """One step, of some EVENTS_AT_ONCE events of the device; whether nothing is left to look into. All are to be looked
    into again where what is stored contradicts itself: at once, or in steps, of which one that comes to the same goes
    on."""
    mark = _mark(device)
    facts = facts_of(device) if mark is not None else None
    if mark is None or facts is None:
        return True
    found = account(facts, mark.since)
    try:
        changes = Changes(device, found, mark.since)
    except Contradiction as error:
        logger.warning("ledger of device %s made anew: its rows contradict each other (%s)", device, error)
        anew = account_anew(facts)
        if anew is None and device not in _begun_again:
            _begun_again.add(device)
            begin_again([device])
            return False
        found, since = (found, mark.since) if anew is None else (anew, LONG_AGO)
        changes = Changes(device, found, since, goes_on=True)
    with transaction.atomic():
        status = DeviceStatus.objects.filter(device=device, touched=mark.touched, touched_from=mark.since)
        if not status.update(touched_from=found.until):
            return False
        changes.write()
    if found.until is None:
        _begun_again.discard(device)
    return found.until is None


def look_through(device: int) -> None:
    """All steps; of a device that tells more without a pause some."""
    for _ in range(TRIES):
        if look_into(device):
            break


def begin_again(devices: Iterable[int]) -> None:
    """Everything of the devices is to be looked into."""
    DeviceStatus.objects.filter(device__in=devices).update(touched=F("touched") + 1, touched_from=LONG_AGO)


def _mark(device: int) -> _Mark | None:
    row = touched_devices().filter(device=device).values_list("touched", "touched_from").first()
    return None if row is None or row[1] is None else _Mark(row[0], row[1])
