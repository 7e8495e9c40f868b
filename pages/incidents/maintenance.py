"""Maintenance: the times in which nobody is told. All of it is staff's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from alerts.incidents.models import Maintenance
from alerts.incidents.services import plan_maintenance
from device_gateway.versions import RegistryVersion
from pages.incidents.forms import MaintenanceForm
from pages.incidents.subjects import machine_of, outlet_of
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.kit.listing import Badge
from pages.kit.live import Screen, live_page, rows, screen
from telemetry.visible import find

FOLLOWS: Final = ("people", "minute")
SHOWN: Final = 200
_METHODS: Final = ["GET", "HEAD", "POST"]


class WindowRow(NamedTuple):
    pk: int
    place: str
    state: Badge
    start: datetime
    end: datetime | None
    weekly: str
    note: str
    by: str
    is_over: bool


@staff_page
@require_safe
def windows(request: HttpRequest) -> HttpResponse:
    return live_page(request, "pages/incidents/maintenance.html", FOLLOWS, lambda: _screen(timezone.now()))


def _screen(now: datetime) -> Screen:
    return screen(lists={"windows": rows("pages/incidents/window_row.html", _rows(now))})


def _rows(now: datetime) -> Iterator[tuple[int, WindowRow]]:
    """Those that are not over first."""
    linked = Maintenance.objects.select_related("outlet", "machine", "made_by")
    coming = Q(end=None) | Q(end__gt=now)
    for one in [*linked.filter(coming)[:SHOWN], *linked.exclude(coming)[:SHOWN]]:
        is_over = one.end is not None and one.end <= now
        state = Badge("applied", "over") if is_over else Badge("pending", "to come")
        if one.holds_at(now):
            state = Badge("waiting", "now")
        place = str(one.machine or one.outlet or "Everywhere")
        by = one.made_by.get_username() if one.made_by else ""
        yield one.pk, WindowRow(one.pk, place, state, one.start, one.end, one.weekly, one.note, by, is_over)


@staff_page
@require_http_methods(_METHODS)
def add(request: HttpRequest) -> HttpResponse:
    machine, outlet = machine_of(request), outlet_of(request)

    def perform(data: dict[str, Any]) -> str:
        plan_maintenance(
            outlet=data["outlet"].pk if data.get("outlet") else None, machine=machine.pk if machine else None,
            fleet=not (machine or data["outlet"]), start=data["start"] or timezone.now(), end=data["end"],
            weekly=data["weekly"], note=data["note"], actor=request.user,
        )  # fmt: skip
        RegistryVersion.change_pages()
        return "Nobody is told of what happens there in that time."

    return action(
        request,
        MaintenanceForm(machine, outlet, sent(request)),
        perform,
        title=f"Maintenance of {machine}" if machine else "Maintenance",
        lead="What happens meanwhile is kept, and told only if it still lasts when the time is over.",
        back=reverse("maintenance"),
        button="Add it",
    )


@staff_page
@require_http_methods(_METHODS)
def end(request: HttpRequest, number: str) -> HttpResponse:
    window = find(Maintenance.objects.all(), int(number), code="unknown_maintenance")

    def perform(_: dict[str, Any]) -> str:
        now = timezone.now()
        if window.start >= now:
            window.delete()
        else:
            Maintenance.objects.filter(Q(end=None) | Q(end__gt=now), pk=window.pk).update(end=now)
        RegistryVersion.change_pages()
        return "The maintenance is over. What still lasts is told within a minute."

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title="End this maintenance?",
        lead="What has happened meanwhile and still lasts is told then.",
        back=reverse("maintenance"),
        button="End it",
    )
