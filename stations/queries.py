"""What staff see: stations with their slots, power banks, each in a constant number of queries."""

from django.db.models import Count, Q, QuerySet

from stations.errors import StationNotFound
from stations.models import PowerBank, PowerBankReturn, Station, StationSlot

RECENT_RETURNS = 20


def stations() -> "QuerySet[Station]":
    """All stations by serial number, with `slots_occupied`, `power_banks_here` and `power_banks_available` counted."""
    available = Q(power_banks__status=PowerBank.Status.AVAILABLE)
    return Station.objects.order_by("serial_number").annotate(
        slots_occupied=Count("slots", filter=Q(slots__status=StationSlot.Status.OCCUPIED), distinct=True),
        power_banks_here=Count("power_banks", distinct=True),
        power_banks_available=Count("power_banks", filter=available, distinct=True),
    )


def find_station(serial: str) -> Station:
    """The station with its counts. Raises StationNotFound."""
    station = stations().filter(serial_number=serial).first()
    if station is None:
        raise StationNotFound
    return station


def slots_of(station: Station) -> "QuerySet[StationSlot]":
    """By number, each with its `power_bank` at hand."""
    return station.slots.select_related("power_bank").order_by("slot_number")


def recent_returns(station: Station) -> "QuerySet[PowerBankReturn]":
    """The 20 newest, with their power banks."""
    return station.returns.select_related("power_bank").order_by("-id")[:RECENT_RETURNS]


def power_banks() -> "QuerySet[PowerBank]":
    """All power banks by serial number, with the station and slot each sits in."""
    return PowerBank.objects.select_related("station", "current_slot").order_by("serial_number")
