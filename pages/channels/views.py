"""One's own channels with what went out by them; and the link in each message that ends them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from alerts.carriers.mail import missing_of_email
from alerts.channels.codes import stopped_by
from alerts.channels.models import EMAIL, Channel
from alerts.conditions.table import CONDITIONS
from alerts.deliveries.models import Delivery
from alerts.deliveries.views import visible_deliveries
from alerts.subscriptions import services
from alerts.subscriptions.kinds import offered
from ozone.wire.conf import options
from ozone.wire.errors import NotFound
from pages.channels.forms import REPORTS, WHEN, ChannelForm, kind_title
from pages.kit.frame import page, signed_in_page
from pages.kit.listing import Badge
from telemetry.visible import visible_outlets

LOG: Final = 100
_STATES: Final = {
    Channel.State.UNVERIFIED: "pending", Channel.State.ACTIVE: "online", Channel.State.STOPPED: "stale",
}  # fmt: skip
_OUTCOMES: Final = {
    Delivery.State.WAITING: "pending", Delivery.State.SENDING: "sent", Delivery.State.UNSENT: "waiting",
    Delivery.State.SENT: "applied", Delivery.State.FAILED: "failed", Delivery.State.DROPPED: "",
}  # fmt: skip


class ChannelRow(NamedTuple):
    pk: int
    title: str
    kind: str
    target: str
    state: Badge
    told: tuple[str, ...]
    is_verified: bool


class LogRow(NamedTuple):
    pk: int
    at: datetime
    type: str
    incident: int | None
    channel: str
    person: str
    state: Badge
    attempts: int
    said: str
    maybe_twice: bool
    may_replay: bool


# Not a page that lives: those are kept for all people of one scope, and this is one person's.
@signed_in_page
@require_safe
def channels(request: HttpRequest) -> HttpResponse:
    own = list(Channel.objects.filter(person_id=request.user.pk).order_by("id"))
    shown = {"channels": _channel_rows(request.user, own), "log": _log(request.user), "kinds": offered()}
    if EMAIL in options().ALERT_CHANNEL_KINDS:
        shown["missing"] = missing_of_email()
    return render(request, "pages/channels/list.html", shown)


def _channel_rows(person: Any, own: list[Channel]) -> list[ChannelRow]:
    wanted = {number for channel in own for number in channel.outlets}
    outlets = dict(visible_outlets(person).filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
    return [
        ChannelRow(
            channel.pk,
            str(channel),
            kind_title(channel.kind),
            channel.target,
            Badge(_STATES[Channel.State(channel.state)], Channel.State(channel.state).label),
            tuple(_told(channel, outlets)),
            channel.verified_at is not None,
        )
        for channel in own
    ]


def _told(channel: Channel, outlets: dict[int, str]) -> Iterator[str]:
    stored = ChannelForm.stored(channel)
    if stored["when"]:
        minutes = f"after {channel.after_minutes} minutes, unless somebody has it in hand"
        words = dict(WHEN).get(stored["when"], minutes).lower()
        labels = [CONDITIONS[kind].label.lower() for kind in channel.conditions if kind in CONDITIONS]
        yield f"{', '.join(labels) or 'all incidents'}, {words}"
    if channel.outlets:
        yield f"at {', '.join(outlets.get(number, 'an outlet that is gone') for number in channel.outlets)}"
    if channel.quiet_from and channel.quiet_until:
        yield f"quiet from {channel.quiet_from:%H:%M} until {channel.quiet_until:%H:%M}"
    if stored["reports"]:
        yield f"reports {dict(REPORTS)[stored['reports']].lower()}"
    if channel.statements:
        yield "statements that are closed"


def _log(person: Any) -> list[LogRow]:
    rows = visible_deliveries(person).select_related("channel", "person").order_by("-id")[:LOG]
    return [
        LogRow(
            row.pk,
            row.at,
            row.type,
            row.incident_id,
            str(row.channel),
            row.person.get_username() if row.person_id != person.pk else "",
            Badge(_OUTCOMES[Delivery.State(row.state)], Delivery.State(row.state).label),
            row.attempts,
            row.error,
            row.maybe_twice,
            row.person_id == person.pk and row.state not in (*Delivery.OPEN, Delivery.State.SENDING),
        )
        for row in rows
    ]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Looking at it stops nothing: mail programs look at links by themselves. Its button does, and so does the mail
    program's own (RFC 8058)."""
    channel = stopped_by(token)
    if channel is None:
        raise NotFound("This link stops nothing: the channel is gone, or a part of the link is missing.")
    if request.method == "POST":
        services.stop(channel, timezone.now())
        channel.refresh_from_db()
    return render(request, "pages/channels/stop.html", {"channel": channel})
