"""What staff see: stations with their slots, power banks, each in a constant number of queries."""

from typing import NamedTuple

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from stations.errors import StationNotFound
from stations.models import PowerBank, PowerBankReturn, Station, StationSlot, SyncLog

RECENT_RETURNS = 20
RECENT_LINES = 20


def stations() -> "QuerySet[Station]":
    """All stations by serial number, with `slots_occupied`, `power_banks_here` and `power_banks_available` counted."""
    return Station.objects.order_by("serial_number").annotate(
        slots_occupied=_count(StationSlot.objects.filter(status=StationSlot.Status.OCCUPIED)),
        power_banks_here=_count(PowerBank.objects.all()),
        power_banks_available=_count(PowerBank.objects.filter(status=PowerBank.Status.AVAILABLE)),
    )


class StationsOverview(NamedTuple):
    stations: int
    online: int
    power_banks: int
    available: int
    rented: int


def overview() -> StationsOverview:
    """In two queries."""
    stations = Station.objects.aggregate(
        stations=Count("pk"), online=Count("pk", filter=Q(status=Station.Status.ONLINE))
    )
    is_available, is_rented = Q(status=PowerBank.Status.AVAILABLE), Q(status=PowerBank.Status.RENTED)
    banks = PowerBank.objects.aggregate(
        power_banks=Count("pk"), available=Count("pk", filter=is_available), rented=Count("pk", filter=is_rented)
    )
    return StationsOverview(**stations, **banks)


def _count(rows: "QuerySet[StationSlot] | QuerySet[PowerBank]") -> Coalesce:
    """How many of `rows` are a station's. Joined instead, each slot would be met with each power bank."""
    own = rows.filter(station=OuterRef("pk")).order_by().values("station").annotate(number=Count("pk"))
    return Coalesce(Subquery(own.values("number")), 0)


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


def recent_log(serial: str) -> "QuerySet[SyncLog]":
    """The 20 newest lines of the sync log that name the station."""
    return SyncLog.objects.filter(serial_number=serial).order_by("-id")[:RECENT_LINES]


def power_banks() -> "QuerySet[PowerBank]":
    """All power banks by serial number, with the station and slot each sits in."""
    return PowerBank.objects.select_related("station", "current_slot").order_by("serial_number")
