"""Charging stations, as their partner's server last described them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max

from alerts.conditions.found import Facts, Found, Moment, clock, counted
from alerts.conditions.rules import Rules
from ozone.wire.times import iso
from ozone.wire.words import duration
from stations.models import PowerBank, Station, StationSlot, SyncLog

STATION_OFFLINE: Final = "station_offline"
SLOT_ERROR: Final = "slot_error"
BANK_DAMAGED: Final = "bank_damaged"
BATTERY_LOW: Final = "battery_low"
PARTNER_SILENT: Final = "partner_silent"

LOW: Final = 10
"""Percent."""
PARTNER_MINUTES: Final = 60
SYNCED_WITHIN: Final = timedelta(days=30)
"""A partner that has not sent anything for so long is none any more."""


def station_offline(moment: Moment) -> Sequence[Found]:
    """Whatever its last message said of it."""
    stations = Station.objects.filter(status=Station.Status.OFFLINE).order_by("id")
    return [
        _found(STATION_OFFLINE, station, station.last_heartbeat or station.updated_at, {})
        for station in (stations if _is_on(STATION_OFFLINE) else ())
    ]


def slot_error(moment: Moment) -> Sequence[Found]:
    """Slots in error, by station."""
    slots = StationSlot.objects.filter(status=StationSlot.Status.ERROR).select_related("station")
    by_station: dict[int, list[StationSlot]] = {}
    for slot in slots.order_by("station", "slot_number") if _is_on(SLOT_ERROR) else ():
        by_station.setdefault(slot.station_id, []).append(slot)
    return [
        _found(
            SLOT_ERROR,
            some[0].station,
            min(slot.updated_at for slot in some),
            {"slots": [slot.slot_number for slot in some]},
        )
        for some in by_station.values()
    ]


def bank_damaged(moment: Moment) -> Sequence[Found]:
    """Power banks that somebody says are damaged."""
    banks = PowerBank.objects.filter(status=PowerBank.Status.DAMAGED).select_related("station").order_by("id")
    return [_of_bank(BANK_DAMAGED, bank, bank.updated_at, {}) for bank in (banks if _is_on(BANK_DAMAGED) else ())]


def battery_low(moment: Moment) -> Sequence[Found]:
    """Power banks that sit in a slot and do not charge."""
    low = Rules(BATTERY_LOW).number(LOW)
    if low is None:
        return []
    banks = PowerBank.objects.filter(
        status=PowerBank.Status.AVAILABLE, current_slot__isnull=False, battery_level__lt=low
    )
    return [
        _of_bank(BATTERY_LOW, bank, bank.updated_at, {"battery_level": bank.battery_level})
        for bank in banks.select_related("station").order_by("id")
    ]


def partner_silent(moment: Moment) -> Sequence[Found]:
    """The server that tells of stations tells nothing any more."""
    minutes = Rules(PARTNER_SILENT).number(PARTNER_MINUTES)
    last = SyncLog.objects.aggregate(last=Max("received_at"))["last"]
    if minutes is None or last is None or moment.now - last > SYNCED_WITHIN:
        return []
    if moment.now - max(last, moment.counting_from) < timedelta(minutes=minutes):
        return []
    facts = {"last_message": iso(last), "after_seconds": minutes * 60}
    return [Found(PARTNER_SILENT, "partner", "the partner's server", last, facts)]


def _is_on(kind: str) -> bool:
    return Rules(kind).number(1) is not None


def _found(kind: str, station: Station, since: datetime, facts: Facts) -> Found:
    return Found(kind, f"station:{station.pk}", station.serial_number, since, facts, station_id=station.pk)


def _of_bank(kind: str, bank: PowerBank, since: datetime, facts: Facts) -> Found:
    place = f" in {bank.station.serial_number}" if bank.station else ""
    return Found(kind, f"bank:{bank.pk}", f"{bank.serial_number}{place}", since, facts, station_id=bank.station_id)


def says_station_offline(facts: Facts, since: datetime) -> str:
    return f"The partner says that it is offline; its last heartbeat was at {clock(since)}."


def says_slot_error(facts: Facts, since: datetime) -> str:
    slots = ", ".join(str(slot) for slot in facts.get("slots", ()))
    return f"In error since {clock(since)}: slot {slots}."


def says_bank_damaged(facts: Facts, since: datetime) -> str:
    return f"It was reported damaged at {clock(since)}."


def says_battery_low(facts: Facts, since: datetime) -> str:
    return f"It sits in its slot with {counted(facts, 'battery_level')} %, and is not charged."


def says_partner_silent(facts: Facts, since: datetime) -> str:
    return f"Its last message came at {clock(since)}; usual is one within {duration(facts.get('after_seconds') or 0)}."
