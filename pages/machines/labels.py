"""Labels to stick on machines: each with a code that leads a phone to where a board is put into that machine."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ozone.webapi.heavy import heavy, person_of, places
from pages.kit.frame import staff_page
from pages.kit.listing import Listing, Sort, up
from pages.kit.paths import address_of
from pages.machines.forms import SHEET, LabelFilters
from pages.machines.screen import at_outlet
from telemetry.finding import matching_machines
from telemetry.models import Machine

SHEETS: Final = 5
"""On a page: what is more comes on the next one."""
SORTS: Final = {"outlet": Sort("Outlet", *up("outlet__name", "name")), "name": Sort("Machine", *up("name"))}


class Label(NamedTuple):
    """`code` is what people say of it, and find it by; `home` and `path` together what its QR code holds."""

    pk: int
    name: str
    outlet: str
    code: str
    home: str
    path: str

    @property
    def address(self) -> str:
        return self.home + self.path


@heavy
@staff_page
@require_safe
def labels(request: HttpRequest) -> HttpResponse:
    """A code takes milliseconds to draw: a page of them is a heavy read."""
    listing: Listing[Machine] = Listing(request.GET, SORTS, LabelFilters, rows=SHEETS * SHEET)
    with places.one(person_of(request.user)):
        found = listing.cut(_narrowed(matching_machines(request.user, listing.words), listing))
        shown = {
            "labels": list(_labels(request, found)),
            "used": range(int(listing.chosen.get("used", 0))),
            "is_single": "paper" in listing.chosen,
            "filters": LabelFilters(request.user, listing.chosen, listing.words),
            "listing": listing,
        }
        return render(request, "pages/machines/labels.html", shown)


def _narrowed(machines: "QuerySet[Machine]", listing: Listing[Machine]) -> "QuerySet[Machine]":
    if number := listing.chosen.get("machine"):
        machines = machines.filter(pk=int(number))
    return at_outlet(machines, listing.chosen)


def _labels(request: HttpRequest, machines: "QuerySet[Machine]") -> Iterator[Label]:
    home = address_of(request, "")
    for pk, name, outlet in machines.values_list("pk", "name", "outlet__name"):
        yield Label(pk, name, outlet or "", f"M-{pk}", home, f"{reverse('machine-install', args=[pk])}/")
