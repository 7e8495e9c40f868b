"""Incidents: the open ones first, and one with what is known of it."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from alerts.incidents.models import Incident
from alerts.incidents.queries import visible_incidents
from pages.incidents.screen import (
    SORTS,
    IncidentFilters,
    facts_of,
    incident_rows,
    last_words,
    narrowed,
    state_of,
)
from pages.kit.frame import signed_in_page
from pages.kit.listing import Listing
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.visible import find

FOLLOWS: Final = ("people",)
EARLIER: Final = 20
MEMBERS: Final = 200


@signed_in_page
@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    listing: Listing[Incident] = Listing(request.GET, SORTS, IncidentFilters)
    return live_page(
        request,
        "pages/incidents/list.html",
        FOLLOWS,
        lambda: _screen(request.user, listing),
        listing=listing,
        filters=SimpleLazyObject(lambda: IncidentFilters(listing.chosen, listing.words)),
    )


def _screen(actor: Any, listing: Listing[Incident]) -> Screen:
    found = narrowed(visible_incidents(actor), listing.words, listing.chosen).select_related("acknowledged_by")
    return screen(
        lists={"incidents": rows("pages/incidents/list_row.html", incident_rows(listing.cut(found)))},
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
    )


@signed_in_page
@require_safe
def incident(request: HttpRequest, number: str) -> HttpResponse:
    return live_page(request, "pages/incidents/incident.html", FOLLOWS, lambda: _one_screen(request.user, int(number)))


def _one_screen(actor: Any, number: int) -> Screen:
    there = visible_incidents(actor)
    linked = there.select_related("acknowledged_by", "device", "machine", "outlet", "station", "held_by")
    found = find(linked, number, code="unknown_incident")
    others = there.select_related("acknowledged_by").order_by("-id")
    members = others.filter(held_by=found.pk)[:MEMBERS]
    earlier = others.filter(subject_key=found.subject_key).exclude(pk=found.pk)[:EARLIER]
    return screen(
        lists={
            "members": rows("pages/incidents/list_row.html", incident_rows(members)),
            "earlier": rows("pages/incidents/list_row.html", incident_rows(earlier)),
        },
        parts=[
            part("head", "pages/incidents/head.html", {"incident": found, "state": state_of(found)}),
            part("story", "pages/incidents/story.html", {"incident": found}),
            part("facts", "pages/incidents/facts.html", {"facts": facts_of(found), "last": last_words(found)}),
        ],
        title=found.title,
    )
