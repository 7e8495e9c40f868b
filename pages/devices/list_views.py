"""All devices: who is there, where they stand, what they have counted."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_safe

from device_gateway.models import Device
from device_gateway.registry.services import register_device
from device_gateway.states import (
    EVER_HEARD,
    heard_before,
    heard_since,
    last_heard,
    later_of,
    never_heard,
    since_newest,
    since_oldest,
)
from pages.devices.list_forms import DeviceFilters, NewDeviceForm
from pages.kit.actions import action, sent
from pages.kit.frame import signed_in_page, staff_page
from pages.kit.listing import Listing, Sort, Stage, up
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.finding import BY_NAME, matching_devices
from telemetry.machines.spares import is_spare
from telemetry.models import Machine
from telemetry.presence import Presence, presence, presence_is, presence_order
from telemetry.treatments import COUNTERS

FOLLOWS: Final = ("people", "presence", "events", "commands")
SORTS: Final = {
    "name": Sort("Device", BY_NAME),
    "status": Sort("Status", "presence", BY_NAME),
    "heard": Sort("Last heard", F("heard").desc(nulls_last=True)),
    "outlet": Sort("Outlet", *up("machine__outlet__name", "machine__name"), BY_NAME),
    "location": Sort("Location", *up("location"), BY_NAME),
    **{
        name: Sort(name.capitalize(), Coalesce(f"status__current_count_{name}", 0).desc(), BY_NAME) for name in COUNTERS
    },
}


class DeviceRow(NamedTuple):
    pk: int
    device_id: str
    name: str
    location: str
    status: str
    heard: datetime | None
    assigned: bool
    machine: str | None
    machine_id: int | None
    outlet: str | None
    outlet_id: int | None
    basic: int
    standard: int
    premium: int
    is_spare: bool
    may_select: bool


_COLUMNS: Final = (
    "pk",
    "device_id",
    "name",
    "location",
    "state__last_poll",
    "state__last_seen",
    "assigned",
    "machine__name",
    "machine__pk",
    "machine__outlet__name",
    "machine__outlet__pk",
    "status__current_count_basic",
    "status__current_count_standard",
    "status__current_count_premium",
)


@signed_in_page
@require_safe
def devices(request: HttpRequest) -> HttpResponse:
    listing = listing_of(request.GET)
    return live_page(
        request,
        "pages/devices/list.html",
        FOLLOWS,
        lambda: _screen(request.user, listing, timezone.now()),
        listing=listing,
        filters=SimpleLazyObject(lambda: DeviceFilters(request.user, listing.chosen, listing.words)),
    )


def listing_of(query: QueryDict) -> Listing[Device]:
    """What the list's address asks for."""
    return Listing(query, SORTS, DeviceFilters)


def matching(actor: Any, listing: Listing[Device], now: datetime) -> "QuerySet[Device]":
    """The actor's devices that the list shows, on all its pages; annotated with what they are put in order by."""
    chosen = listing.chosen
    found = matching_devices(actor, listing.words).annotate(heard=last_heard(), presence=presence_order(now))
    if status := chosen.get("status"):
        found = found.filter(presence_is(Presence(status), now))
    if assigned := chosen.get("assigned"):
        found = found.filter(is_spare() if assigned == "spare" else Q(assigned=assigned == "yes"))
    if outlet := chosen.get("outlet"):
        found = found.filter(machine__outlet=int(outlet))
    return found


def shown(actor: Any, listing: Listing[Device], now: datetime) -> "QuerySet[Device]":
    """Those on the page that was asked for."""
    return listing.cut(matching(actor, listing, now), partial(_stages, listing, now))


def _stages(listing: Listing[Device], now: datetime, need: int) -> Sequence[Stage]:
    """In which parts the first `need` devices of a large fleet are found, each by an index or among few."""
    word, is_back = listing.sort.removeprefix("-"), listing.sort.startswith("-")
    if word == "heard":
        return _by_heard(need, is_back)
    fields, by_name = SORTS[word].fields, SORTS["name"].fields
    if word == "status":
        found = [Stage(presence_is(one, now), by_name) for one in Presence]
    elif word == "outlet":
        # As a condition of its own: of an outer join that finds nothing PostgreSQL expects one row.
        nowhere = ~Exists(Machine.objects.filter(device=OuterRef("pk")))
        found = [
            Stage(Q(machine__outlet__isnull=False), fields),
            Stage(Q(machine__isnull=False, machine__outlet=None), fields[1:]),
            Stage(Q(nowhere), by_name),
        ]
    elif word in COUNTERS:
        count = f"status__current_count_{word}"
        found = [
            Stage(Q(**{f"{count}__gt": 0}), fields),
            Stage(Q(**{f"{count}__lte": 0}) | Q(**{count: None}), by_name),
        ]
    else:
        found = [Stage(Q(), fields)]
    return found[::-1] if is_back else found


def _by_heard(need: int, is_back: bool) -> Sequence[Stage]:
    """The newest, or the oldest, of about as many as are needed; then the others."""
    fields, never = SORTS["heard"].fields, Stage(never_heard(), ())
    at = since_oldest(need) if is_back else since_newest(need)
    conditions = [EVER_HEARD] if at is None else [heard_since(at), heard_before(at)]
    found = [*(Stage(condition, fields) for condition in conditions), never]
    return found[::-1] if is_back else found


def _screen(actor: Any, listing: Listing[Device], now: datetime) -> Screen:
    found = list(shown(actor, listing, now).values_list(*_COLUMNS))
    free = [row[0] for row in found if row[_COLUMNS.index("machine__pk")] is None]
    spares = set(Device.objects.filter(is_spare(), pk__in=free).values_list("pk", flat=True)) if free else set()
    return screen(
        lists={
            "devices": rows(
                "pages/devices/list_row.html",
                ((row[0], _row(row, row[0] in spares, now, may_select=actor.is_staff)) for row in found),
            )
        },
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
        has_more=listing.pages > 1,
    )


def _row(values: tuple[Any, ...], is_spare: bool, now: datetime, *, may_select: bool) -> DeviceRow:
    pk, device_id, name, location, last_poll, last_seen, *rest, basic, standard, premium = values
    status = presence(last_poll, last_seen, now)
    heard = later_of(last_poll, last_seen)
    counts = (basic or 0, standard or 0, premium or 0)
    return DeviceRow._make((pk, device_id, name, location, status, heard, *rest, *counts, is_spare, may_select))


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    def perform(fields: dict[str, Any]) -> str:
        device = register_device(fields=fields)
        href = reverse("device", args=[device.device_id])
        return format_html('{} is added. <a href="{}">Open it</a>', device, href)

    return action(
        request,
        NewDeviceForm(sent(request)),
        perform,
        title="Add a device",
        back=reverse("devices"),
        button="Add the device",
    )
