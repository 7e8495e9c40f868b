"""What people do about their channels: as the API does it."""

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from alerts.channels.models import Channel
from alerts.deliveries.models import Delivery
from alerts.deliveries.services import replay
from alerts.subscriptions import services
from alerts.subscriptions.kinds import offered
from ozone.wire.errors import Unavailable
from pages.channels.forms import ChannelForm, CodeForm, NewChannelForm
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import signed_in_page
from pages.kit.once import shows_once
from telemetry.visible import find

_METHODS: Final = ["GET", "HEAD", "POST"]


def _channel(request: HttpRequest, number: str) -> Channel:
    """One's own."""
    own = Channel.objects.filter(person_id=request.user.pk).select_related("person")
    return find(own, int(number), code="unknown_channel")


@signed_in_page
@require_http_methods(_METHODS)
def add(request: HttpRequest) -> HttpResponse:
    kinds = offered()
    if not kinds:
        raise Unavailable("This server sends no messages yet: whoever runs it sets ALERT_CHANNEL_KINDS.")
    form = NewChannelForm(request.user, kinds, sent(request))
    secret = ""

    def perform(data: dict[str, Any]) -> str:
        nonlocal secret
        fields = {"kind": data["kind"], "target": data["target"], **form.wanted()}
        wanted = services.checked(request.user, fields)
        channel, secret = services.add(person=request.user, fields=wanted, now=timezone.now())
        return "" if secret else f"A code is on its way to {channel.target}. Type it in here: Verify."

    reply = action(
        request,
        form,
        perform,
        title="Add a channel",
        lead="A code is sent there first. Nothing else is, until you have typed it in here.",
        back=reverse("channels"),
        button="Add it",
    )
    return shows_once(render(request, "pages/channels/secret.html", {"secret": secret})) if secret else reply


@signed_in_page
@require_http_methods(_METHODS)
def edit(request: HttpRequest, number: str) -> HttpResponse:
    channel = _channel(request, number)
    form = ChannelForm(request.user, sent(request), ChannelForm.stored(channel))

    def perform(_: dict[str, Any]) -> str:
        fields = services.checked(request.user, form.wanted(), channel)
        services.change(channel=channel, fields={**fields, "stopped": False}, now=timezone.now())
        return f"{channel} is changed."

    return action(
        request,
        form,
        perform,
        title=f"What {channel} is told",
        lead="It was stopped, and starts again with this." if channel.stopped else "",
        back=reverse("channels"),
        button="Save",
    )


@signed_in_page
@require_http_methods(_METHODS)
def verify(request: HttpRequest, number: str) -> HttpResponse:
    channel = _channel(request, number)

    def perform(data: dict[str, Any]) -> str:
        services.verify(channel=channel, code=data["code"], now=timezone.now())
        return f"{channel} is verified: you are told there from now on."

    return action(
        request,
        CodeForm(sent(request)),
        perform,
        title=f"Verify {channel}",
        lead=f"The code that was sent to {channel.target}. It is good for an hour.",
        back=reverse("channels"),
        button="Verify",
    )


def _confirmed(
    request: HttpRequest,
    perform: Callable[[], str],
    title: str,
    *,
    lead: str = "",
    button: str = "Send it",
    **more: Any,
) -> HttpResponse:
    """Asks first. `perform` returns what is said when it is done."""
    form = Confirmation(sent(request))
    back = reverse("channels")
    return action(request, form, lambda _: perform(), title=title, lead=lead, back=back, button=button, **more)


@signed_in_page
@require_http_methods(_METHODS)
def send_code(request: HttpRequest, number: str) -> HttpResponse:
    channel = _channel(request, number)

    def perform() -> str:
        services.send_code(channel=channel, now=timezone.now())
        return "Another code is on its way. The one before is worth nothing any more."

    lead = "At most three an hour are sent for a person."
    return _confirmed(request, perform, f"Send another code to {channel}?", lead=lead)


@signed_in_page
@require_http_methods(_METHODS)
def send_test(request: HttpRequest, number: str) -> HttpResponse:
    channel = _channel(request, number)

    def perform() -> str:
        services.send_test(channel=channel, now=timezone.now())
        return "A test is on its way. What became of it stands in the log in some seconds."

    return _confirmed(request, perform, f"Send a test to {channel}?", button="Send a test")


@signed_in_page
@require_http_methods(_METHODS)
def delete(request: HttpRequest, number: str) -> HttpResponse:
    channel = _channel(request, number)

    def perform() -> str:
        services.delete(channel)
        return f"{channel} is deleted."

    lead = "With its part of the log. You are told nothing more there."
    return _confirmed(request, perform, f"Delete {channel}?", lead=lead, button="Delete it", danger=True)


@signed_in_page
@require_http_methods(_METHODS)
def replay_one(request: HttpRequest, number: str) -> HttpResponse:
    own = Delivery.objects.filter(person_id=request.user.pk).select_related("channel__person")
    delivery = find(own, int(number), code="unknown_delivery")

    def perform() -> str:
        replay(delivery=delivery, now=timezone.now())
        return "It is sent once more, under the id that it had."

    return _confirmed(request, perform, "Send this once more?", lead=f"{delivery.type} to {delivery.channel}.")
