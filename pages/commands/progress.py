"""Commands for many devices: how far each has come, and how what is pending is cancelled. All of it is staff's."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from device_gateway.registry.queries import visible_devices
from pages.commands.views import result_words, tally
from pages.kit.actions import Confirmation, action, sent
from pages.kit.filters import Chosen, Filters
from pages.kit.frame import staff_page
from pages.kit.listing import Listing, Sort, up
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.commands import services
from telemetry.commands.lifecycle import FINISHED, PENDING, SENT, state_at, state_is
from telemetry.models import Bulk, Command
from telemetry.visible import find

FOLLOWS: Final = ("people", "commands", "deadlines")
BULK_SORTS: Final = {"newest": Sort("Newest", "-pk")}
SORTS: Final = {
    "changed": Sort("Changed", F("changed_at").desc()),
    "device": Sort("Device", *up("device__name", "device__device_id")),
}
NAMED: Final = 10
"""Devices that a sentence names; of more it tells the number."""


class StateFilter(Filters):
    state = Chosen(Command.Status.choices, label="State")


class BulkRow(NamedTuple):
    pk: int
    command_type: str
    description: str
    number: int
    created_at: datetime
    author: str


class ShareRow(NamedTuple):
    """One device's command of a bulk."""

    device_id: str
    device: str
    state: Command.Status
    sent_at: datetime | None
    executed_at: datetime | None
    result: str


@staff_page
@require_safe
def bulks(request: HttpRequest) -> HttpResponse:
    listing: Listing[Bulk] = Listing(request.GET, BULK_SORTS)

    def build() -> Screen:
        found = listing.cut(Bulk.objects.select_related("created_by"))
        return screen(
            lists={"bulks": rows("pages/commands/bulks_row.html", ((one.pk, _bulk_row(one)) for one in found))},
            parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
        )

    return live_page(request, "pages/commands/bulks.html", FOLLOWS, build)


def _bulk_row(one: Bulk) -> BulkRow:
    author = one.created_by.get_username() if one.created_by else ""
    return BulkRow(one.pk, one.command_type, one.description, one.number, one.created_at, author)


@staff_page
@require_safe
def bulk(request: HttpRequest, number: str) -> HttpResponse:
    listing: Listing[Command] = Listing(request.GET, SORTS, StateFilter)
    return live_page(
        request,
        "pages/commands/bulk.html",
        FOLLOWS,
        lambda: _screen(request.user, _bulk(number), listing, timezone.now()),
        listing=listing,
    )


def _bulk(number: str) -> Bulk:
    return find(Bulk.objects.select_related("created_by"), int(number), code="unknown_bulk")


def _screen(actor: Any, one: Bulk, listing: Listing[Command], now: datetime) -> Screen:
    commands = one.commands.all()
    counts = services.statistics(commands, now)
    if state := listing.chosen.get("state"):
        commands = commands.filter(state_is(state, now))
    found = listing.cut(commands.select_related("device"))
    return screen(
        lists={
            "shares": rows("pages/commands/bulk_row.html", ((command.pk, _share(command, now)) for command in found))
        },
        parts=[
            part("head", "pages/commands/bulk_head.html", {"row": _bulk_row(one), **_progress(one, counts)}),
            part("refused", "pages/commands/bulk_refused.html", {"sentences": list(_refused(actor, one))}),
            part("tally", "pages/commands/bulk_tally.html", _tally(counts, listing)),
            part("pager", "pages/kit/pager.html", {"listing": listing}),
        ],
        title=str(one),
    )


def _tally(counts: Mapping[str, int], listing: Listing[Command]) -> dict[str, Any]:
    """Each state leads to the commands that are in it."""
    states = [(*state, listing.href(state=state[0])) for state in tally(counts)]
    return {"states": states, "chosen": listing.chosen.get("state"), "everything": listing.href(state="")}


def _progress(one: Bulk, counts: Mapping[str, int]) -> dict[str, Any]:
    """`ended`: so many of the commands `made` will not change by themselves."""
    made = sum(counts.values())
    ended = made - counts[PENDING] - counts[SENT]
    missing = one.number - made - sum(len(devices) for devices in one.refused.values())
    return {
        "made": made,
        "ended": ended,
        "words": f"{ended:,} of {made:,} ended",
        "pending": counts[PENDING],
        "missing": f"{missing:,} of the devices have not been reached (yet)." if missing > 0 else "",
    }


def _refused(actor: Any, one: Bulk) -> Iterator[str]:
    for why, devices in one.refused.items():
        first = visible_devices(actor, archived=True).filter(pk__in=devices[:NAMED])
        names = ", ".join(str(device) for device in first.order_by("name", "pk"))
        more = f" and {len(devices) - NAMED:,} more" if len(devices) > NAMED else ""
        yield f"{names}{more} did not get it. {why}"


def _share(command: Command, now: datetime) -> ShareRow:
    state = state_at(command, now)
    was_sent = command.deliveries or state in FINISHED
    return ShareRow(
        device_id=command.device.device_id or "",
        device=str(command.device),
        state=state,
        sent_at=command.sent_at if was_sent else None,
        executed_at=command.executed_at,
        result=result_words(command, state),
    )


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    one = _bulk(number)
    now = timezone.now()

    def perform(_: dict[str, Any]) -> str:
        cancelled = services.cancel_pending(bulk=one, now=now)
        return f"{cancelled:,} of the commands {'is' if cancelled == 1 else 'are'} cancelled."

    pending = one.commands.filter(state_is(PENDING, now)).count()
    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title="Cancel all pending",
        lead=f"{one}: {pending:,} pending. Devices that were given it already go on with it.",
        back=reverse("bulk", args=[one.pk]),
        button="Cancel all pending",
        danger=True,
        dismiss="Keep them",
    )
