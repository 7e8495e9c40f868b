"""What staff do with the devices that they have selected in the list: one command for all, one change, one export."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from device_gateway.registry.services import change_device
from ozone.intake.pauses import Pauses
from ozone.webapi.heavy import heavy, heavy_stream
from ozone.wire.errors import ApiError, Invalid
from pages.commands.bulk_forms import BulkChangeForm, BulkCommandForm
from pages.devices.list_views import listing_of, matching
from pages.kit.actions import action
from pages.kit.filters import is_number
from pages.kit.frame import staff_page
from pages.kit.listing import Listing
from telemetry.commands.services import MAX_BULK, create_bulk
from telemetry.events.export import Walk, export
from telemetry.events.parameters import EXPORT_DAYS
from telemetry.finding import BY_NAME
from telemetry.models import Bulk, TelemetryEvent
from telemetry.presence import is_polling

MOST: Final = 20_000
"""Devices of one command: their numbers have to fit into a form."""
STEP: Final = 250
"""Of them in one transaction: what devices send waits for less than a tenth of a second."""
NAMED: Final = 10
"""Devices that a question names; of more it tells the number."""


@heavy
@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest) -> HttpResponseBase:
    """First sent by the list, with boxes, then by the form that asks what exactly."""
    listing = listing_of(QueryDict(request.POST.get("query", "")))
    back = reverse("devices") + listing.href(page=listing.number).removesuffix("?")
    perform, most = _PURPOSES.get(request.POST.get("do", ""), (None, 0))
    if request.method != "POST" or perform is None:
        return redirect(back)
    try:
        chosen = _chosen(request, listing, most)
    except Invalid as error:
        messages.error(request, error.detail)
        return redirect(back)
    return perform(request, chosen, back)


def _chosen(request: HttpRequest, listing: Listing[Device], most: int) -> list[Device]:
    """The selected devices, or all that match the list's search. Raises Invalid for none or too many."""
    asked = request.POST
    if "sure" in asked:
        words = asked.get("devices", "").replace("\0", "").split()[: most + 1]
        numbers = [int(word) for word in words if is_number(word)]
        names = [word for word in words if not is_number(word)]
        found = visible_devices(request.user).filter(Q(pk__in=numbers) | Q(device_id__in=names))
    elif asked.get("all"):
        found = matching(request.user, listing, timezone.now())
    else:
        names = [name for name in asked.getlist("device") if "\0" not in name]
        found = visible_devices(request.user).filter(device_id__in=names)
    found = found.select_related("state").defer("state__latest_payload")  # of a fleet, that is much
    devices = list(found.order_by(BY_NAME, "pk")[: most + 1])
    if not devices:
        raise Invalid("Select at least one device.")
    if len(devices) > most:
        raise Invalid(f"At most {most:,} devices at once. Narrow the list by a search.")
    return devices


def _command(request: HttpRequest, chosen: list[Device], back: str) -> HttpResponse:
    now = timezone.now()
    given: list[Bulk] = []

    def perform(fields: dict[str, Any]) -> str:
        bulk, (made, _) = create_bulk(devices=chosen, fields=fields, author=request.user, now=now, step=STEP)
        given.append(bulk)
        return f"{fields['command_type']} waits for {_counted(len(made))}." if made else ""

    silent = sum(not is_polling(device.state.last_poll, now) for device in chosen)
    reply = action(
        request,
        _form(BulkCommandForm, request, chosen, count=len(chosen)),
        perform,
        title=f"Send a command to {_counted(len(chosen))}",
        lead=f"{_named(chosen)}. {_silence(silent, len(chosen))}",
        back=back,
        button="Send",
    )
    return redirect("bulk", given[0].pk) if given else reply


def _change(request: HttpRequest, chosen: list[Device], back: str) -> HttpResponse:
    form = _form(BulkChangeForm, request, chosen)

    def perform(_: dict[str, Any]) -> str:
        failed, pauses = [], Pauses()
        for device in chosen:
            try:
                with pauses.step():
                    change_device(device=device, fields=form.changes)
            except ApiError as error:
                failed.append(f"{device}: {error.detail}")
        if failed:
            messages.warning(request, f"{_counted(len(failed)).capitalize()} could not be changed. {_named(failed)}")
        changed = len(chosen) - len(failed)
        return f"{_counted(changed).capitalize()} changed." if changed else ""

    return action(
        request,
        form,
        perform,
        title=f"Assign {_counted(len(chosen))}",
        lead=f"{_named(chosen)}.",
        back=back,
        button="Change",
    )


def _export(request: HttpRequest, chosen: list[Device], back: str) -> StreamingHttpResponse:
    return heavy_stream(
        request.user,
        lambda: StreamingHttpResponse(
            export(_walks(chosen, timezone.now() - timedelta(days=EXPORT_DAYS)), bom=True),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="events-{EXPORT_DAYS}-days.csv"'},
        ),
    )


def _walks(devices: list[Device], since: datetime) -> Iterator[Walk]:
    for device in devices:
        rows = TelemetryEvent.objects.filter(device=device)
        yield Walk(rows, rows.filter(received_at__gte=since), "occurred_at", None)


_PURPOSES: Final[dict[str, tuple[Callable[[HttpRequest, list[Device], str], HttpResponseBase], int]]] = {
    "command": (_command, MOST),
    "change": (_change, MAX_BULK),
    "export": (_export, MAX_BULK),
}
"""What is done, and with how many devices at most."""


def _form(kind: Callable[..., Any], request: HttpRequest, chosen: list[Device], **more: Any) -> Any:
    """The form as it was sent; empty where the list has sent the boxes only."""
    if "sure" in request.POST:
        return kind(request.POST, **more)
    numbers = " ".join(str(device.pk) for device in chosen)
    return kind(initial={"do": request.POST["do"], "query": request.POST.get("query", ""), "devices": numbers}, **more)


def _counted(number: int) -> str:
    return "one device" if number == 1 else f"{number:,} devices"


def _named(things: list[Any]) -> str:
    words = ", ".join(str(thing) for thing in things[:NAMED])
    return words if len(things) <= NAMED else f"{words} and {len(things) - NAMED:,} more"


def _silence(silent: int, number: int) -> str:
    if not silent:
        return ""
    if number == 1:
        who = "It does not ask"
    else:
        who = (
            "None of them asks" if silent == number else f"{silent:,} of them {'does' if silent == 1 else 'do'} not ask"
        )
    return f"{who} for commands now: what you send waits until then, or expires."
