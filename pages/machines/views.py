"""All machines: where they stand, which device each has, what it counts."""

from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from pages.kit.frame import signed_in_page
from pages.kit.listing import Listing
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.machines.forms import MachineFilters
from pages.machines.screen import SORTS, at_outlet, machine_rows, ordered, stages
from telemetry.finding import matching_machines
from telemetry.models import Machine
from telemetry.presence import Presence, presence_is

FOLLOWS: Final = ("people", "presence", "events", "commands", "minute")


@signed_in_page
@require_safe
def machines(request: HttpRequest) -> HttpResponse:
    listing: Listing[Machine] = Listing(request.GET, SORTS, MachineFilters)
    return live_page(
        request,
        "pages/machines/list.html",
        FOLLOWS,
        lambda: _screen(request.user, listing, timezone.now()),
        listing=listing,
        filters=SimpleLazyObject(lambda: MachineFilters(request.user, listing.chosen, listing.words)),
    )


def _screen(actor: Any, listing: Listing[Machine], now: datetime) -> Screen:
    found = shown(actor, listing, now)
    return screen(
        lists={"machines": rows("pages/machines/list_row.html", machine_rows(actor, found, now))},
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
    )


def shown(actor: Any, listing: Listing[Machine], now: datetime) -> "QuerySet[Machine]":
    """Those on the page that was asked for."""
    found = _narrowed(matching_machines(actor, listing.words), listing, now)
    return listing.cut(ordered(actor, found, now), partial(stages, listing, now))


def _narrowed(machines: "QuerySet[Machine]", listing: Listing[Machine], now: datetime) -> "QuerySet[Machine]":
    chosen = listing.chosen
    if status := chosen.get("status"):
        # A machine without a device is neither online nor idle nor offline.
        machines = machines.filter(presence_is(Presence(status), now, "device__"), device__isnull=False)
    if device := chosen.get("device"):
        machines = machines.filter(device__isnull=device == "no")
    return at_outlet(machines, chosen)
