"""The first page: how the fleet is, how today goes, what waits; and to begin with, the way to the first event."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from device_gateway.room import forecast
from ozone.wire.clock import clock_watch
from ozone.wire.words import duration
from pages.dashboard.earned import RANKED, Span, chosen_span, spans
from pages.dashboard.fleet import Fleet, fleet_of
from pages.dashboard.screen import last_hour, ticker_rows, today
from pages.incidents.screen import open_now
from pages.kit.frame import signed_in_page
from pages.kit.live import Piece, Screen, live_page, part, rows, screen
from stations.partner.switch import stations_enabled
from stations.queries import overview as overview_of_stations

FOLLOWS: Final = (
    "people", "presence", "events", "readings", "commands", "deadlines", "refused", "handshakes", "tokens", "stations",
    "minute",
)  # fmt: skip
_COLUMNS: Final = {"earned": 7, "stopped": 3, "quiet": 4}
"""Of the tables of what is found in all devices."""


@signed_in_page
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    span = chosen_span(request.GET, timezone.now())
    is_whole = request.GET.get("outlets") == "all"
    return live_page(
        request,
        "pages/dashboard/dashboard.html",
        FOLLOWS,
        lambda: _screen(request.user, span, is_whole, timezone.now()),
        span=span,
        spans=spans(timezone.now()),
        is_whole=is_whole,
    )


def _clock() -> dict[str, Any]:
    jump = clock_watch.last()
    return {"jump": jump, "span": duration(round(abs(jump.seconds))) if jump else ""}


def _screen(actor: Any, span: Span, is_whole: bool, now: datetime) -> Screen:
    found = fleet_of(actor, span)
    lists, parts = _pending() if found is None else _of(found, actor, span, is_whole)
    total, chart = last_hour(actor, now)
    return screen(
        is_pending=found is None,
        lists={
            **lists,
            "ticker": rows("pages/dashboard/ticker_row.html", ticker_rows(actor, now), element="li"),
        },
        parts=[
            *parts,
            part("clock", "pages/dashboard/clock.html", _clock()),
            part("incidents", "pages/dashboard/incidents.html", open_now(actor)),
            part("today", "pages/dashboard/today.html", {"day": today(actor, now)}),
            part("hour", "pages/dashboard/hour.html", {"chart": chart, "total": total}),
            part("room", "pages/dashboard/room.html", {"room": forecast() if actor.is_staff else None}),
        ],
    )


def _of(found: Fleet, actor: Any, span: Span, is_whole: bool) -> tuple[dict[str, list[Piece]], list[Piece]]:
    """Lists and parts that are of all devices."""
    fleet, earned = found.overview, found.earned
    ranked = earned.rows(None if is_whole else RANKED)
    shown: dict[str, Any] = {"total": earned.total, "currency": earned.book.currency, "span": span}
    shown |= {"has_outlets": bool(ranked), "more": len(earned.ranked) - len(ranked)}
    stations = overview_of_stations() if actor.is_staff and stations_enabled() else None
    person = {"is_staff": actor.is_staff, "username": "" if actor.is_staff else actor.get_username()}
    lists = {
        "earned": rows("pages/dashboard/earned_row.html", ((row.outlet, row) for row in ranked)),
        "stopped": rows("pages/dashboard/stopped_row.html", ((row.machine, row) for row in earned.stopped)),
        "quiet": rows("pages/dashboard/quiet_row.html", found.quiet),
    }
    return lists, [
        part("guide", "pages/dashboard/guide.html", {"fleet": fleet, **person}),
        part("morning", "pages/dashboard/morning.html", shown),
        part("earned_total", "pages/dashboard/earned_total.html", shown, element="tbody"),
        part("earned_more", "pages/dashboard/earned_more.html", shown),
        part("fleet", "pages/dashboard/fleet.html", {"fleet": fleet, "at": found.at if found.is_large else None}),
        part("meters", "pages/dashboard/meters.html", {"fleet": fleet, "stations": stations}),
        part("waiting", "pages/dashboard/waiting.html", {"waiting": found.waiting, "is_staff": actor.is_staff}),
        part("quiet", "pages/dashboard/quiet.html", {"fleet": fleet}),
    ]


def _pending() -> tuple[dict[str, list[Piece]], list[Piece]]:
    """The same while a large fleet is looked through for the first time."""
    lists = {name: rows("pages/dashboard/pending_row.html", [(name, columns)]) for name, columns in _COLUMNS.items()}
    empty = ("guide", "morning", "earned_more", "meters", "quiet")
    return lists, [
        *(part(name, "pages/dashboard/pending.html", {}) for name in empty),
        part("earned_total", "pages/dashboard/pending.html", {}, element="tbody"),
        part(
            "fleet", "pages/dashboard/pending.html", {"words": "All devices are gone through: that takes some seconds."}
        ),
        part("waiting", "pages/dashboard/pending.html", {"words": "Loading…"}),
    ]
