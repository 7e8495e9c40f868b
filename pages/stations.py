"""Charging stations, as the partner's system told of them: all of them, and one with its slots. For staff."""

from collections.abc import Iterator
from datetime import datetime
from functools import wraps
from typing import Any, Final, NamedTuple

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from ozone.wire.errors import NotFound
from pages.kit.filters import Chosen, Filters, search
from pages.kit.frame import View, page, staff_page
from pages.kit.listing import Listing, Sort, up
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.kit.queries import matching_stations
from stations import queries
from stations.models import PowerBank, Station, StationSlot, SyncLog
from stations.partner.switch import stations_enabled

FOLLOWS: Final = ("people", "stations")
SORTS: Final = {
    "serial": Sort("Station", *up("serial_number")),
    "status": Sort("Status", "status", *up("serial_number")),
    "slots": Sort("Slots taken", F("slots_occupied").desc(), *up("serial_number")),
    "banks": Sort("Power banks", F("power_banks_here").desc(), *up("serial_number")),
    "available": Sort("Available", F("power_banks_available").desc(), *up("serial_number")),
    "heartbeat": Sort("Last heartbeat", F("last_heartbeat").desc(nulls_last=True)),
    "sync": Sort("Last sync", F("updated_at").desc()),
}
BANK_SORTS: Final = {
    "slot": Sort("Slot", F("current_slot__slot_number").asc(nulls_last=True), *up("serial_number")),
    "serial": Sort("Power bank", *up("serial_number")),
    "status": Sort("Status", "status", *up("serial_number")),
    "battery": Sort("Battery", "battery_level", *up("serial_number")),
    "seen": Sort("Last seen", F("seen_at").desc(nulls_last=True)),
}


class StationFilters(Filters):
    q = search("Serial number, IMEI, network")
    status = Chosen(Station.Status.choices)


class StationRow(NamedTuple):
    serial: str
    status: Station.Status
    occupied: int
    slots: int
    banks: int
    available: int
    heartbeat: datetime | None
    signal: str
    synced: datetime


class SlotCell(NamedTuple):
    """`bank` "": none that is known."""

    number: int
    status: StationSlot.Status
    bank: str
    battery: int


class BankRow(NamedTuple):
    serial: str
    status: PowerBank.Status
    battery: int
    slot: int | None
    seen: datetime | None


class ReturnRow(NamedTuple):
    bank: str
    slot: int
    battery: int | None
    condition: str
    at: datetime
    stale: bool


class LogLine(NamedTuple):
    at: datetime
    type: str
    outcome: SyncLog.Outcome
    code: str
    warnings: str
    milliseconds: int


def _stations_page(view: View) -> View:
    """A page for staff; for everybody a page that is not there while stations are switched off, as in the API."""
    for_staff = staff_page(view)

    @page
    @wraps(view)
    def answer(request: HttpRequest, **named: Any) -> HttpResponseBase:
        if not stations_enabled():
            raise NotFound
        return for_staff(request, **named)

    return answer


@_stations_page
@require_safe
def stations(request: HttpRequest) -> HttpResponse:
    listing: Listing[Station] = Listing(request.GET, SORTS, StationFilters)
    return live_page(
        request,
        "pages/stations/list.html",
        FOLLOWS,
        lambda: _screen(listing),
        listing=listing,
        filters=SimpleLazyObject(lambda: StationFilters(listing.chosen, listing.words)),
    )


def _screen(listing: Listing[Station]) -> Screen:
    found = matching_stations(listing.words)
    if status := listing.chosen.get("status"):
        found = found.filter(status=status)
    found = listing.cut(found)
    return screen(
        lists={"stations": rows("pages/stations/list_row.html", ((station.pk, _row(station)) for station in found))},
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
    )


def _row(station: Any) -> StationRow:
    """`station` with the counts of `queries.stations`."""
    return StationRow(
        station.serial_number,
        Station.Status(station.status),
        station.slots_occupied,
        station.total_slots,
        station.power_banks_here,
        station.power_banks_available,
        station.last_heartbeat,
        station.signal_strength,
        station.updated_at,
    )


@_stations_page
@require_safe
def station(request: HttpRequest, serial: str) -> HttpResponse:
    listing: Listing[PowerBank] = Listing(request.GET, BANK_SORTS)
    return live_page(
        request,
        "pages/stations/station.html",
        FOLLOWS,
        lambda: _one_screen(serial, listing),
        listing=listing,
        serial=serial,
    )


def _one_screen(serial: str, listing: Listing[PowerBank]) -> Screen:
    found = queries.find_station(serial)
    banks = listing.cut(queries.power_banks().filter(station=found))
    return screen(
        lists={
            "banks": rows("pages/stations/power_bank_row.html", ((bank.pk, _bank_row(bank)) for bank in banks)),
            "returns": rows("pages/stations/return_row.html", _return_rows(found)),
            "log": rows("pages/stations/sync_log_row.html", _log_lines(serial)),
        },
        parts=[
            part("facts", "pages/stations/facts.html", {"row": _row(found), "station": found}),
            part("slots", "pages/stations/slots.html", {"slots": list(_slot_cells(found))}),
            part("pager", "pages/kit/pager.html", {"listing": listing}),
        ],
    )


def _slot_cells(station: Station) -> Iterator[SlotCell]:
    for slot in queries.slots_of(station):
        bank = getattr(slot, "power_bank", None)
        yield SlotCell(
            slot.slot_number, StationSlot.Status(slot.status), bank.serial_number if bank else "", slot.battery_level
        )


def _bank_row(bank: PowerBank) -> BankRow:
    slot = bank.current_slot.slot_number if bank.current_slot else None
    return BankRow(bank.serial_number, PowerBank.Status(bank.status), bank.battery_level, slot, bank.seen_at)


def _return_rows(station: Station) -> Iterator[tuple[int, ReturnRow]]:
    for row in queries.recent_returns(station):
        serial = row.power_bank.serial_number
        yield (
            row.pk,
            ReturnRow(serial, row.slot_number, row.battery_level, row.condition, row.returned_at, row.stale),
        )


def _log_lines(serial: str) -> Iterator[tuple[int, LogLine]]:
    for line in queries.recent_log(serial):
        outcome = SyncLog.Outcome(line.outcome)
        yield line.pk, LogLine(line.received_at, line.type, outcome, line.code, line.warnings, line.milliseconds)
