"""Applying verified messages: each exactly once, in one transaction."""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from ozone.intake.rows import fetch_locked, insert_missing, upsert
from ozone.wire.errors import ApiError
from ozone.wire.times import AHEAD, iso, iso_or_none
from stations import placement
from stations.errors import PowerBankNotFound, SlotNotFound, StationNotFound
from stations.journal import CLEAN_EVERY, REPLAY_SPAN, clean, record
from stations.models import (
    AcknowledgedRequest,
    AppliedMessage,
    PowerBank,
    PowerBankReturn,
    Station,
    StationSlot,
    SyncLog,
)
from stations.outcomes import Acknowledgement
from stations.partner.signing import Signed
from stations.payloads import (
    Bank,
    Full,
    Message,
    Returned,
    Slot,
    StatusChange,
    percent,
    read_time,
    type_of,
    warnings_of,
)
from stations.placement import Placement
from stations.signals import power_bank_returned
from stations.writing import write

logger = logging.getLogger("stations")

STALE: Final = "A newer message of this station has been applied; nothing changed"
LOCK_SECONDS: float = 4.0
"""How long a message waits for another of the same station; then 503, and the connector sends it again."""


def sync(*, message: Message, signed: Signed, now: datetime, since: float) -> Acknowledgement:
    """Applies a verified message, once; returns when it is committed. The arguments are StationSyncService's.

    Raises what `StationSyncService.apply` raises, and Unavailable: then it is to be sent again.
    """
    service = StationSyncService(message=message, signed=signed, now=now, since=since)
    outcome = write(service.apply)
    line = service.line
    assert line is not None
    logger.info(
        "StationSyncService: %s of station %s: %s in %d ms",
        line.type,
        line.serial_number,
        line.outcome,
        line.milliseconds,
    )
    if line.pk % CLEAN_EVERY == 0:
        try:
            write(clean, now=now)
        except (DatabaseError, ApiError) as error:
            # The message is committed, and its reply must go out; the next cleaning takes what is left.
            logger.warning("StationSyncService: cleaning put off: %s", error)
    return outcome


class StationSyncService:
    """One message on its way into the database."""

    def __init__(self, *, message: Message, signed: Signed, now: datetime, since: float) -> None:
        """`signed`: the request it came in, checked; `now`: when that came, `since` the same on perf_counter."""
        self._message = message
        self._body_hash = signed.body_hash
        self._sent_at = signed.sent_at(now)
        self._request = AcknowledgedRequest(
            key=signed.request_key, timestamp=int(signed.timestamp), acknowledged_at=now, reply=""
        )
        self._now = now
        self._since = since
        self.line: SyncLog | None = None
        """The line of the sync log, once applied."""
        self._moment = read_time(message.timestamp)
        if self._moment is None and isinstance(message, Returned):
            self._moment = read_time(message.return_event.returned_at)

    def apply(self) -> Acknowledgement:
        """Applies the message, or finds that it has been; the reply is committed with it.

        Raises StationNotFound, PowerBankNotFound, SlotNotFound, and what a receiver of `power_bank_returned` raises:
        then nothing has changed.
        """
        with transaction.atomic():
            _bound_lock_waits()
            outcome = self._same_request()
            if outcome is None:
                station = self._lock_station()
                outcome = self._replay(station)
                if outcome is None:
                    outcome = self._dispatch(station)
                    self._remember(station, outcome)
                self._request.reply = outcome.written()
                upsert([self._request], unique=("key",), update=("reply",))
            self.line = record(
                kind=type_of(self._message),
                serial_number=self._message.device.serial_number,
                outcome=outcome.kind,
                body_hash=self._body_hash,
                now=self._now,
                since=self._since,
                warnings=outcome.warnings,
            )
        return outcome

    def _same_request(self) -> Acknowledgement | None:
        """The reply to this very request, if it has been acknowledged before, whatever came between.

        Its row is made at once: a second copy waits here for the first, and a failure takes the row back.
        """
        if insert_missing([self._request], unique=("key",)):
            return None
        (known,) = fetch_locked(AcknowledgedRequest, "key = %s", [self._request.key], order="key")
        return Acknowledgement.read_again(known.reply)

    def _lock_station(self) -> Station:
        """The station's row, locked: messages of one station are applied one after another, two copies too."""
        serial = self._message.device.serial_number
        found = fetch_locked(Station, "serial_number = %s", [serial])
        if not found and isinstance(self._message, Full):
            insert_missing([Station(serial_number=serial)], unique=("serial_number",))
            found = fetch_locked(Station, "serial_number = %s", [serial])
        if not found:
            raise StationNotFound
        return found[0]

    def _replay(self, station: Station) -> Acknowledgement | None:
        """The first reply to this body, if it has been acknowledged before.

        A picture or a status without a `timestamp` of its own may rightly come again after others, in the same
        bytes: such a body is a repeat only as long as it is the last one applied. So may a status of the very second
        of the last message: a station drops, connects and drops within one.
        """
        may_come_again = self._moment is None and not isinstance(self._message, Returned)
        if isinstance(self._message, StatusChange):
            may_come_again |= self._moment == station.last_message_at
        if may_come_again and station.last_body_hash != self._body_hash:
            return None
        for known in fetch_locked(AppliedMessage, "body_hash = %s", [self._body_hash], order="body_hash"):
            if known.applied_at > self._now - REPLAY_SPAN:
                return Acknowledgement.read_again(known.reply)
        return None

    def _remember(self, station: Station, outcome: Acknowledgement) -> None:
        row = AppliedMessage(body_hash=self._body_hash, station=station, applied_at=self._now, reply=outcome.written())
        # A body that was forgotten after its 7 days, or had no time of its own, may have its row already.
        upsert([row], unique=("body_hash",), update=("station", "applied_at", "reply"))

    def _dispatch(self, station: Station) -> Acknowledgement:
        # Without a time of its own a message speaks of the moment it was sent, and is never stale. By the sender's
        # clock, as all the others: by ours, a snapshot it takes a moment later could seem older.
        last = self._believed(station.last_message_at)
        at = self._moment or max(self._sent_at, last or self._sent_at)
        stale = last is not None and at < last
        match self._message:
            case Full() as full:
                outcome = self._full(station, full, at, stale)
            case Returned() as returned:
                outcome = self._returned(station, returned, at, stale)
            case StatusChange() as change:
                outcome = self._status(station, change, at, stale)
        return outcome if outcome.stale else replace(outcome, warnings=warnings_of(self._message))

    def _believed(self, moment: datetime | None) -> datetime | None:
        """A stored time further ahead than any that is taken is of a clock that was wrong: it holds nothing back."""
        return None if moment is not None and moment > self._now + AHEAD else moment

    def _not_after(self, bank: PowerBank, at: datetime) -> bool:
        """Whether no newer message has seen the power bank."""
        seen_at = self._believed(bank.seen_at)
        return seen_at is None or seen_at <= at

    def _full(self, station: Station, message: Full, at: datetime, stale: bool) -> Acknowledgement:
        data: dict[str, Any] = {
            "station_id": station.pk,
            "station_serial": station.serial_number,
            "slots_updated": 0,
            "powerbanks_updated": 0,
            "timestamp": iso(self._now),
        }
        if stale:
            return Acknowledgement(STALE, data, stale=True)
        told = {bank.serial_number: bank for bank in message.power_banks or ()}
        banks = placement.lock_banks(station, told, make=True)
        # A newer message may have seen one of them in another station meanwhile.
        described = [
            _described(banks[serial], bank) for serial, bank in told.items() if self._not_after(banks[serial], at)
        ]
        placed = [Placement(bank, number) for bank in described if (number := told[bank.serial_number].current_slot)]
        unplaced = [bank for bank in described if not told[bank.serial_number].current_slot]
        gone = []
        if message.power_banks is not None:
            gone = [bank for bank in banks.values() if bank.station_id == station.pk and bank.serial_number not in told]
        slots = placement.lock_slots(station, placement.slots_left_by([*gone, *(place.bank for place in placed)]))
        told_slots = [
            _told_slot(station, slot, slots.get(slot.slot_number)) for slot in message.slots or () if slot.slot_number
        ]
        placement.leave_in_place(unplaced, taken={place.slot_number for place in placed}, slots=slots, now=self._now)
        placement.rearrange(
            station=station,
            gone=gone,
            placed=placed,
            told=told_slots,
            slots=slots,
            at=at,
            now=self._now,
        )
        placement.remove_slots(slots, self._slots_no_more(message, slots, placed))
        self._save(station, at, **_station_facts(message))
        return Acknowledgement(
            "Station data updated successfully",
            data | {"slots_updated": len(told_slots), "powerbanks_updated": len(described)},
        )

    @staticmethod
    def _slots_no_more(message: Full, slots: placement.Slots, placed: list[Placement]) -> list[int]:
        """Numbers beyond the total; and those an array of slots leaves out, unless a power bank was seen there, or one
        of the array has no number and may be it."""
        here = {place.slot_number for place in placed}
        if message.slots is not None and all(slot.slot_number for slot in message.slots):
            here |= {slot.slot_number for slot in message.slots}
            return [number for number in slots if number not in here]
        return [number for number in slots if number > message.station.total_slots]

    def _returned(self, station: Station, message: Returned, at: datetime, stale: bool) -> Acknowledgement:
        event = message.return_event
        level = percent(event.battery_level)
        banks = placement.lock_banks(station, [event.power_bank_serial])
        bank = banks.get(event.power_bank_serial)
        if bank is None:
            raise PowerBankNotFound
        gone = [
            other
            for other in banks.values()
            if other.station_id == station.pk and other.pk != bank.pk and other.current_slot_id is not None
        ]
        slots = placement.lock_slots(station, placement.slots_left_by([bank]))
        slot = slots.get(event.slot_number)
        if slot is None:
            raise SlotNotFound
        stale = stale or not self._not_after(bank, at)
        if not stale:
            bank.status = PowerBank.Status.AVAILABLE
            if level is not None:
                bank.battery_level = slot.battery_level = level
            if event.hardware_info is not None:
                bank.hardware_info = event.hardware_info
            slot.status = StationSlot.Status.OCCUPIED
            placement.rearrange(
                station=station,
                gone=[other for other in gone if other.current_slot_id == slot.pk],
                placed=[Placement(bank, event.slot_number)],
                told=[slot],
                slots=slots,
                at=at,
                now=self._now,
            )
            self._save(station, at)
        row = PowerBankReturn.objects.create(
            power_bank=bank,
            station=station,
            slot_number=event.slot_number,
            battery_level=level,
            condition=event.condition or "",
            hardware_info=event.hardware_info or {},
            returned_at=read_time(event.returned_at) or at,
            received_at=self._now,
            stale=stale,
        )
        power_bank_returned.send(sender=PowerBankReturn, power_bank_return=row, stale=stale)
        data = {
            "power_bank_serial": bank.serial_number,
            "power_bank_status": bank.status,
            "station_serial": station.serial_number,
            "slot_number": event.slot_number,
        }
        return Acknowledgement("Return processed successfully", data, stale=stale)

    def _status(self, station: Station, message: StatusChange, at: datetime, stale: bool) -> Acknowledgement:
        changed = not stale and station.status != message.device.status
        if not stale:
            facts: dict[str, Any] = {"status": message.device.status}
            if message.device.last_heartbeat is not None:
                facts["last_heartbeat"] = read_time(message.device.last_heartbeat)
            self._save(station, at, **facts)
        data = {
            "station_id": station.pk,
            "serial_number": station.serial_number,
            "status": station.status,
            "status_changed": changed,
            "last_heartbeat": iso_or_none(station.last_heartbeat),
        }
        return Acknowledgement(STALE if stale else "Station status updated successfully", data, stale=stale)

    def _save(self, station: Station, at: datetime, **facts: Any) -> None:
        """The station's own row: new facts, and that this message is now the last one applied."""
        facts |= {"last_message_at": at, "last_body_hash": self._body_hash, "updated_at": self._now}
        for name, value in facts.items():
            setattr(station, name, value)
        upsert([station], unique=("serial_number",), update=list(facts))


def _bound_lock_waits() -> None:
    """SQLite has a bound of its own; PostgreSQL would wait for ever."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {round(LOCK_SECONDS * 1000)}")


def _or(level: int | None, before: int) -> int:
    return before if level is None else level


def _described(row: PowerBank, told: Bank) -> PowerBank:
    row.status = told.status
    row.battery_level = _or(percent(told.battery_level), row.battery_level)
    if told.hardware_info is not None:
        row.hardware_info = told.hardware_info
    return row


def _told_slot(station: Station, told: Slot, known: StationSlot | None) -> StationSlot:
    row = known or StationSlot(station=station, slot_number=told.slot_number)
    row.status = told.status
    row.battery_level = _or(percent(told.battery_level), row.battery_level)
    if told.slot_metadata is not None:
        row.slot_metadata = told.slot_metadata
    return row


def _station_facts(message: Full) -> dict[str, Any]:
    """Columns of the station; an optional part that is absent says nothing."""
    device, facts = message.device, message.station
    optional = {
        "imei": device.imei,
        "signal_strength": None if device.signal_strength is None else str(device.signal_strength),
        "wifi_ssid": device.wifi_ssid,
        "hardware_info": device.hardware_info,
        "pinboards": facts.pinboards,
    }
    return {
        "status": device.status,
        "last_heartbeat": read_time(device.last_heartbeat),
        "total_slots": facts.total_slots,
        **{name: value for name, value in optional.items() if value is not None},
    }
