"""The first page: how the fleet is, how today goes, what waits; and to begin with, the way to the first event."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ozone.wire.clock import clock_watch
from ozone.wire.words import duration
from pages.dashboard.screen import last_hour, overview, quiet_rows, ticker_rows, today, waiting
from pages.kit.frame import signed_in_page
from pages.kit.live import Screen, live_page, part, rows, screen

FOLLOWS: Final = (
    "people", "presence", "events", "readings", "commands", "deadlines", "refused", "handshakes", "tokens", "minute",
)  # fmt: skip


@signed_in_page
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return live_page(request, "pages/dashboard/dashboard.html", FOLLOWS, lambda: _screen(request.user, timezone.now()))


def _clock() -> dict[str, Any]:
    jump = clock_watch.last()
    return {"jump": jump, "span": duration(round(abs(jump.seconds))) if jump else ""}


def _screen(actor: Any, now: datetime) -> Screen:
    fleet = overview(actor, now)
    person = {"is_staff": actor.is_staff, "username": "" if actor.is_staff else actor.get_username()}
    total, chart = last_hour(actor, now)
    return screen(
        lists={
            "quiet": rows("pages/dashboard/quiet_row.html", quiet_rows(actor, now)),
            "ticker": rows("pages/dashboard/ticker_row.html", ticker_rows(actor, now), element="li"),
        },
        parts=[
            part("clock", "pages/dashboard/clock.html", _clock()),
            part("guide", "pages/dashboard/guide.html", {"fleet": fleet, **person}),
            part("fleet", "pages/dashboard/fleet.html", {"fleet": fleet}),
            part("today", "pages/dashboard/today.html", {"day": today(actor, now)}),
            part("hour", "pages/dashboard/hour.html", {"chart": chart, "total": total}),
            part("waiting", "pages/dashboard/waiting.html", {"waiting": waiting(now) if actor.is_staff else []}),
            part("quiet", "pages/dashboard/quiet.html", {"fleet": fleet}),
        ],
    )
