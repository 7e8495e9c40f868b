"""A device's commands: how each of them stands, and what staff may do about them."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from pages.commands.forms import CommandForm
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import signed_in_page, staff_page
from pages.kit.listing import Listing, Sort
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.commands import services
from telemetry.commands.lifecycle import FINISHED, PENDING, TIMEOUT, state_at
from telemetry.models import Command
from telemetry.presence import is_polling, presence
from telemetry.treatments import COUNTERS

FOLLOWS: Final = ("people", "presence", "polling", "commands", "deadlines")
SORTS: Final = {"newest": Sort("Newest", "-pk")}
SILENT: Final = "It does not ask for commands now. What you send waits until it does, or expires."


class CommandRow(NamedTuple):
    """`sent_at` and `deliveries` are of the last try. `result` is a sentence, `response` and `payload` JSON text."""

    device_id: str
    command_id: str
    command_type: str
    priority: str
    description: str
    payload: str
    state: Command.Status
    created_at: datetime
    retried_at: datetime | None
    author: str
    sent_at: datetime | None
    deliveries: int
    executed_at: datetime | None
    expires_at: datetime | None
    result: str
    response: str
    counters: tuple[tuple[str, int], ...]
    retries: int
    may_retry: bool
    may_cancel: bool
    bulk: int | None
    """The number of the bulk it is of, for whom that is open."""


@signed_in_page
@require_safe
def commands(request: HttpRequest, name: str) -> HttpResponse:
    listing: Listing[Command] = Listing(request.GET, SORTS)
    return live_page(
        request,
        "pages/commands/list.html",
        FOLLOWS,
        lambda: _screen(request.user, name, listing, timezone.now()),
    )


def _screen(actor: Any, name: str, listing: Listing[Command], now: datetime) -> Screen:
    device = find_device(visible_devices(actor).select_related("state"), name)
    found = listing.cut(device.commands.select_related("created_by"))
    state = device.state
    told = {
        "status": presence(state.last_poll, state.last_seen, now),
        "last_poll": state.last_poll,
        "is_polling": is_polling(state.last_poll, now),
        "assigned": device.assigned,
    }
    return screen(
        lists={
            "commands": rows(
                "pages/commands/list_row.html",
                ((command.pk, _row(command, device, now, may_act=actor.is_staff)) for command in found),
            )
        },
        parts=[
            part("polling", "pages/commands/polling.html", told),
            part(
                "tally", "pages/commands/tally.html", {"tally": tally(services.statistics(device.commands.all(), now))}
            ),
            part("pager", "pages/kit/pager.html", {"listing": listing}),
        ],
        device_id=device.device_id,
        name=str(device),
    )


def tally(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Class, word and number of each state."""
    return [(state, Command.Status(state).label.lower(), number) for state, number in counts.items()]


def _row(command: Command, device: Device, now: datetime, *, may_act: bool) -> CommandRow:
    state = state_at(command, now)
    was_sent = command.deliveries or state in FINISHED  # since its last retry
    return CommandRow(
        device_id=device.device_id or "",
        command_id=str(command.command_id),
        command_type=command.command_type,
        priority=command.priority,
        description=command.description,
        payload=_json(command.payload or None),
        state=state,
        created_at=command.created_at,
        retried_at=command.retried_at,
        author=command.created_by.get_username() if command.created_by else "",
        sent_at=command.sent_at if was_sent else None,
        deliveries=command.deliveries,
        executed_at=command.executed_at,
        expires_at=command.expires_at if state == PENDING else None,
        result=result_words(command, state),
        response=_json(command.response_data),
        counters=tuple((name, command.counters[name]) for name in COUNTERS) if command.counters else (),
        retries=command.retry_count,
        may_retry=may_act and services.may_retry(command, device.firmware, now),
        may_cancel=may_act and state == PENDING,
        bulk=command.bulk_id if may_act else None,
    )


def result_words(command: Command, state: Command.Status) -> str:
    if state == TIMEOUT:
        return "Sent, but no result came." if command.deliveries else "Not asked for in time."
    return command.error_message or command.message


def _json(value: Any) -> str:
    """For people to read; "" for none. The wire holds it to 4 KiB."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, name: str) -> HttpResponse:
    device = find_device(visible_devices(request.user).select_related("state"), name)

    def perform(fields: dict[str, Any]) -> str:
        command = services.create(device=device, fields=fields, author=request.user, now=timezone.now())
        return f"{command.command_type} waits for {device} to ask for it."

    return action(
        request,
        CommandForm(sent(request)),
        perform,
        title=f"Send a command to {device}",
        lead="" if is_polling(device.state.last_poll, timezone.now()) else SILENT,
        back=_page_of(device),
        button="Send",
    )


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest, name: str, command_id: str) -> HttpResponse:
    words = {"title": "Retry {}", "button": "Retry", "dismiss": "Leave it"}
    return _ask(request, name, command_id, services.retry, said="{} waits for {} once more.", **words)


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, name: str, command_id: str) -> HttpResponse:
    words = {"title": "Cancel {}", "button": "Cancel the command", "dismiss": "Keep it"}
    return _ask(request, name, command_id, services.cancel, said="{} for {} is cancelled.", **words)


def _ask(
    request: HttpRequest, name: str, command_id: str, service: Callable[..., Command], *, said: str, **words: Any
) -> HttpResponse:
    """A question about one command of the device; `service` does it. The words hold places for command and device."""
    device = find_device(visible_devices(request.user), name)
    command = services.find_command(device.commands.all(), command_id)

    def perform(_: dict[str, Any]) -> str:
        service(devices=[device], command_id=command_id, now=timezone.now())
        return said.format(command.command_type, device)

    words["title"] = words["title"].format(command.command_type)
    lead = f"For {device}. {command.description}"
    return action(request, Confirmation(sent(request)), perform, lead=lead, back=_page_of(device), **words)


def _page_of(device: Device) -> str:
    return reverse("device-commands", args=[device.device_id])
