"""The archived devices: in no other list, and not lost."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from device_gateway.models import Device
from pages.kit.filters import Filters, search
from pages.kit.frame import staff_page
from pages.kit.listing import Listing, Sort
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.finding import BY_NAME, matching_devices

FOLLOWS: Final = ("people",)
SORTS: Final = {"archived": Sort("Archived", F("archived_at").desc()), "name": Sort("Device", BY_NAME)}


class ArchiveFilters(Filters):
    q = search("Name, number, place, MAC")


class ArchivedRow(NamedTuple):
    device_id: str
    name: str
    mac: str | None
    owner: str | None
    archived: datetime


@staff_page
@require_safe
def archived(request: HttpRequest) -> HttpResponse:
    listing: Listing[Device] = Listing(request.GET, SORTS)
    return live_page(
        request,
        "pages/devices/archive.html",
        FOLLOWS,
        lambda: _screen(request.user, listing),
        listing=listing,
        filters=SimpleLazyObject(lambda: ArchiveFilters(listing.chosen, listing.words)),
    )


def _screen(actor: Any, listing: Listing[Device]) -> Screen:
    found = listing.cut(matching_devices(actor, listing.words, archived=True).exclude(archived_at=None))
    columns = found.values_list("pk", "device_id", "name", "mac", "owner__username", "archived_at")
    return screen(
        lists={
            "devices": rows("pages/devices/archive_row.html", ((row[0], ArchivedRow._make(row[1:])) for row in columns))
        },
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
    )
