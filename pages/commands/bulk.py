"""What staff do with the devices that they have selected in the list: one command for all, one change, one export."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from device_gateway.registry.services import change_device
from ozone.webapi.heavy import heavy, heavy_stream
from ozone.wire.errors import ApiError, Invalid
from pages.commands.bulk_forms import BulkChangeForm, BulkCommandForm
from pages.devices.list_views import listing_of, matching
from pages.kit.actions import action
from pages.kit.frame import staff_page
from pages.kit.listing import Listing
from telemetry.commands.services import create_for_each
from telemetry.commands.views import MAX_BULK
from telemetry.events.export import Walk, export
from telemetry.events.parameters import EXPORT_DAYS
from telemetry.models import TelemetryEvent
from telemetry.presence import is_polling

NAMED: Final = 10
"""Devices that a question names; of more it tells the number."""


@heavy
@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest) -> HttpResponseBase:
    """First sent by the list, with boxes, then by the form that asks what exactly."""
    listing = listing_of(QueryDict(request.POST.get("query", "")))
    back = reverse("devices") + listing.href(page=listing.number).removesuffix("?")
    perform = _PURPOSES.get(request.POST.get("do", ""))
    if request.method != "POST" or perform is None:
        return redirect(back)
    try:
        chosen = _chosen(request, listing)
    except Invalid as error:
        messages.error(request, error.detail)
        return redirect(back)
    return perform(request, chosen, back)


def _chosen(request: HttpRequest, listing: Listing[Device]) -> list[Device]:
    """The selected devices, or all that match the list's search. Raises Invalid for none or too many."""
    asked = request.POST
    if asked.get("all") and "sure" not in asked:
        found = matching(request.user, listing, timezone.now())
    else:
        names = asked.get("devices", "").split() or asked.getlist("device")
        found = visible_devices(request.user).filter(device_id__in=[name for name in names if "\0" not in name])
    devices = list(found.select_related("state").order_by("name", "pk")[: MAX_BULK + 1])
    if not devices:
        raise Invalid("Select at least one device.")
    if len(devices) > MAX_BULK:
        raise Invalid(f"At most {MAX_BULK:,} devices at once. Narrow the list by a search.")
    return devices


def _command(request: HttpRequest, chosen: list[Device], back: str) -> HttpResponse:
    now = timezone.now()

    def perform(fields: dict[str, Any]) -> str:
        made, refused = create_for_each(devices=chosen, fields=fields, author=request.user, now=now)
        if refused:
            why = _named(list(dict.fromkeys(error.detail for _, error in refused)))
            who = _named([device for device, _ in refused])
            messages.warning(request, f"{_counted(len(refused)).capitalize()} did not get it: {who}. {why}")
        return f"{fields['command_type']} waits for {_counted(len(made))}." if made else ""

    silent = sum(not is_polling(device.state.last_poll, now) for device in chosen)
    return action(
        request,
        _form(BulkCommandForm, request, chosen),
        perform,
        title=f"Send a command to {_counted(len(chosen))}",
        lead=f"{_named(chosen)}. {_silence(silent, len(chosen))}",
        back=back,
        button="Send",
    )


def _change(request: HttpRequest, chosen: list[Device], back: str) -> HttpResponse:
    form = _form(BulkChangeForm, request, chosen)

    def perform(_: dict[str, Any]) -> str:
        failed = []
        for device in chosen:
            try:
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


_PURPOSES: Final[dict[str, Callable[[HttpRequest, list[Device], str], HttpResponseBase]]] = {
    "command": _command,
    "change": _change,
    "export": _export,
}


def _form(kind: Callable[..., Any], request: HttpRequest, chosen: list[Device]) -> Any:
    """The form as it was sent; empty where the list has sent the boxes only."""
    if "sure" in request.POST:
        return kind(request.POST)
    names = " ".join(device.device_id or "" for device in chosen)
    return kind(initial={"do": request.POST["do"], "query": request.POST.get("query", ""), "devices": names})


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
