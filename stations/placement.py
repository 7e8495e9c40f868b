"""Which power bank sits where: the one place that moves them, so that one slot holds one and one sits in one slot.

Locks are taken in one order by every message: its station, then power banks by serial number (new ones first made,
then all locked), then slots by id. A message holds the lock of one station only, and new slots are made under it.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Case, F, Value, When

from ozone.intake.rows import fetch_locked, insert_missing, present, upsert
from ozone.intake.sql import within
from stations.models import PowerBank, Station, StationSlot

Banks = dict[str, PowerBank]
Slots = dict[int, StationSlot]


@dataclass(frozen=True)
class Placement:
    """A power bank, its new facts already on it, and the slot of this station that it sits in."""

    bank: PowerBank
    slot_number: int


def lock_banks(station: Station, serials: Iterable[str] = (), *, make: bool = False) -> Banks:
    """The power banks of these serials, and all that are in the station, locked until the transaction ends."""
    told = sorted(serials)
    if make:
        known = present(PowerBank, "serial_number", told)
        missing = [PowerBank(serial_number=serial) for serial in told if serial not in known]
        insert_missing(missing, unique=("serial_number",))
    among, given = within(connection, told)
    where = f"station_id = %s OR serial_number {among}"
    banks = fetch_locked(PowerBank, where, [station.pk, *given], order="serial_number")
    return {bank.serial_number: bank for bank in banks}


def lock_slots(station: Station, others: Iterable[int]) -> Slots:
    """The station's slots by number; locked with the slots of other stations that `others` names by id."""
    among, given = within(connection, sorted(others))
    locked = fetch_locked(StationSlot, f"station_id = %s OR id {among}", [station.pk, *given])
    return {slot.slot_number: slot for slot in locked if slot.station_id == station.pk}


def slots_left_by(banks: Iterable[PowerBank]) -> set[int]:
    """Ids of the slots that these power banks sit in."""
    return {bank.current_slot_id for bank in banks if bank.current_slot_id is not None}


def leave_in_place(banks: Sequence[PowerBank], *, taken: Container[int], slots: Slots, now: datetime) -> None:
    """Writes facts of power banks whose slot nobody knows: each stays where it was, or, where another one has taken
    its slot (`taken`, by number), with its station in no slot.
    """
    lost = {slot.pk for number, slot in slots.items() if number in taken}
    for bank in banks:
        if bank.current_slot_id in lost:
            bank.current_slot_id = None
        bank.updated_at = now
    upsert(
        banks,
        unique=("serial_number",),
        update=("status", "battery_level", "current_slot", "hardware_info", "updated_at"),
    )


def rearrange(
    *,
    station: Station,
    gone: Sequence[PowerBank],
    placed: Sequence[Placement],
    told: Sequence[StationSlot],
    slots: Slots,
    at: datetime,
    now: datetime,
) -> None:
    """Takes `gone` out of their slots, puts `placed` into theirs, and writes the slots that were told.

    `slots` are the station's, from `lock_slots`; `told` are new states of some of them, or new ones. A slot that
    loses its power bank is AVAILABLE, if it was OCCUPIED and nothing else was told of it. A power bank in a slot
    nobody has told of makes that slot. `at` is when the message says it was so, `now` when it came.
    """
    here: dict[int | None, int] = {slot.pk: number for number, slot in slots.items()}
    movers = [place.bank for place in placed if here.get(place.bank.current_slot_id) != place.slot_number]
    lifted = [bank for bank in (*gone, *movers) if bank.station_id is not None]
    _lift(lifted, now)
    filled = {place.slot_number for place in placed}
    vacated = {key for key in slots_left_by(lifted) if here.get(key) not in filled}
    if vacated:
        StationSlot.objects.filter(pk__in=vacated, status=StationSlot.Status.OCCUPIED).update(
            status=StationSlot.Status.AVAILABLE, battery_level=0, updated_at=now
        )
    numbers = {slot.slot_number for slot in told}
    made = [
        StationSlot(
            station=station,
            slot_number=place.slot_number,
            status=StationSlot.Status.OCCUPIED,
            battery_level=place.bank.battery_level,
        )
        for place in placed
        if place.slot_number not in numbers and place.slot_number not in slots
    ]
    written = [*told, *made]
    for slot in written:
        slot.updated_at = now
    upsert(
        written,
        unique=("station", "slot_number"),
        update=("status", "battery_level", "slot_metadata", "updated_at"),
    )
    keys = {number: slot.pk for number, slot in slots.items()} | {slot.slot_number: slot.pk for slot in written}
    for place in placed:
        place.bank.station = station
        place.bank.current_slot_id = keys[place.slot_number]
        place.bank.seen_at = at
        place.bank.updated_at = now
    upsert(
        [place.bank for place in placed],
        unique=("serial_number",),
        update=("status", "battery_level", "station", "current_slot", "hardware_info", "seen_at", "updated_at"),
    )


def _lift(banks: Sequence[PowerBank], now: datetime) -> None:
    """Out of their slots, all at once: two that change places must not meet in one slot on the way."""
    if banks:
        rented = When(status=PowerBank.Status.AVAILABLE, then=Value(PowerBank.Status.RENTED))
        PowerBank.objects.filter(pk__in=[bank.pk for bank in banks]).update(
            station=None, current_slot=None, status=Case(rented, default=F("status")), updated_at=now
        )


def remove_slots(slots: Slots, numbers: Iterable[int]) -> None:
    """Slots that the station no longer has. What sat in one stays with the station, in no slot."""
    if doomed := [slots[number].pk for number in numbers]:
        PowerBank.objects.filter(current_slot__in=doomed).update(current_slot=None)
        StationSlot.objects.filter(pk__in=doomed).delete()
