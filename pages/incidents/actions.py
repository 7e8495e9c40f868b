"""What people do about an incident: as the API does it."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from alerts.incidents.models import Incident
from alerts.incidents.queries import visible_incidents
from alerts.incidents.services import acknowledge, snooze
from pages.incidents.forms import NoteForm, SnoozeForm
from pages.kit.actions import action, sent
from pages.kit.frame import signed_in_page
from telemetry.visible import find

_METHODS: Final = ["GET", "HEAD", "POST"]


def _incident(request: HttpRequest, number: str) -> Incident:
    return find(visible_incidents(request.user), int(number), code="unknown_incident")


@signed_in_page
@require_http_methods(_METHODS)
def acknowledge_one(request: HttpRequest, number: str) -> HttpResponse:
    incident = _incident(request, number)

    def perform(data: dict[str, Any]) -> str:
        acknowledge(incident=incident, note=data["note"], actor=request.user, now=timezone.now())
        return "It is yours: nobody else is asked."

    return action(
        request,
        NoteForm(sent(request)),
        perform,
        title=f"Acknowledge “{incident.title}”",
        lead="You have it in hand, and it is not handed on to the next person.",
        back=reverse("incident", args=[incident.pk]),
        button="Acknowledge",
    )


@signed_in_page
@require_http_methods(_METHODS)
def snooze_one(request: HttpRequest, number: str) -> HttpResponse:
    incident = _incident(request, number)

    def perform(data: dict[str, Any]) -> str:
        now = timezone.now()
        snooze(incident=incident, until=now + timedelta(hours=int(data["hours"])), now=now)
        return "Nobody is told of it until then; if it lasts, you are reminded."

    return action(
        request,
        SnoozeForm(sent(request)),
        perform,
        title=f"Put “{incident.title}” off",
        lead="Nobody is told of it meanwhile, but of its end.",
        back=reverse("incident", args=[incident.pk]),
        button="Put it off",
    )
