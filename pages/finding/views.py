"""What the box in the menu finds: of everything the first few that the reader may see."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from pages.kit.frame import signed_in_page
from pages.kit.listing import up
from pages.kit.queries import matching_power_banks, matching_stations
from stations.partner.switch import stations_enabled
from telemetry.finding import asked, matching_devices, matching_machines, matching_outlets

SHOWN: Final = 10
_DEVICE: Final = ("device_id", "name", "location", "machine__name", "machine__outlet__name")
_OUTLET: Final = ("pk", "name", "region", "address")
_MACHINE: Final = ("pk", "name", "outlet__name", "device__device_id", "device__name")


class Hit(NamedTuple):
    href: str
    name: str
    words: str


class Section(NamedTuple):
    """All hits of one kind: the first of them, how many there are, and where they all are ("" for nowhere)."""

    title: str
    hits: list[Hit]
    total: int
    href: str


@signed_in_page
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    words = asked(request.GET.get("q", ""))
    sections = [section for section in _sections(request.user, words) if section.hits] if words else []
    return render(request, "pages/finding/found.html", {"words": words, "sections": sections})


def _sections(actor: Any, words: str) -> Iterator[Section]:
    devices = matching_devices(actor, words)
    yield _section("Devices", devices.values_list(*_DEVICE), _device, "devices", words)
    machines = matching_machines(actor, words).order_by(*up("name"), "pk")
    yield _section("Machines", machines.values_list(*_MACHINE), _machine, "machines", words)
    outlets = matching_outlets(actor, words).order_by(*up("name"), "pk")
    yield _section("Outlets", outlets.values_list(*_OUTLET), _outlet, "outlets", words)
    if not actor.is_staff:
        return
    archived = matching_devices(actor, words, archived=True).exclude(archived_at=None)
    yield _section("Archived devices", archived.values_list(*_DEVICE), _device, "devices-archived", words)
    machines = matching_machines(actor, words, archived=True).exclude(archived_at=None).order_by(*up("name"), "pk")
    yield _section("Deleted machines", machines.values_list(*_MACHINE), _machine, "machines-deleted", words)
    outlets = matching_outlets(actor, words, archived=True).exclude(archived_at=None).order_by(*up("name"), "pk")
    yield _section("Deleted outlets", outlets.values_list(*_OUTLET), _outlet, "outlets-deleted", words)
    if stations_enabled():
        stations = matching_stations(words).order_by(*up("serial_number"))
        yield _section("Stations", stations.values_list("serial_number", "imei"), _station, "stations", words)
        banks = matching_power_banks(words).order_by(*up("serial_number"))
        yield _section("Power banks", banks.values_list("serial_number", "station__serial_number"), _bank, "", words)


def _section(title: str, found: "QuerySet[Any, Any]", hit: Callable[..., Hit], page: str, words: str) -> Section:
    hits = [hit(*row) for row in found[: SHOWN + 1]]
    total = found.count() if len(hits) > SHOWN else len(hits)
    return Section(title, hits[:SHOWN], total, f"{reverse(page)}?{urlencode({'q': words})}" if page else "")


def _device(device_id: str, name: str, *places: str | None) -> Hit:
    return Hit(reverse("device", args=[device_id]), name or device_id, _joined([name and device_id, *places]))


def _machine(pk: int, name: str, outlet: str | None, device_id: str | None, device: str | None) -> Hit:
    return Hit(reverse("machine-logs", args=[pk]), name, _joined([outlet, device_id, device]))


def _outlet(pk: int, name: str, region: str, address: str) -> Hit:
    return Hit(reverse("outlet", args=[pk]), name, _joined([region, address]))


def _station(serial: str, imei: str) -> Hit:
    return Hit(reverse("station", args=[serial]), serial, "" if imei == serial else imei)


def _bank(serial: str, station: str | None) -> Hit:
    return Hit(reverse("station", args=[station]) if station else "", serial, station or "in no station")


def _joined(words: Iterable[str | None]) -> str:
    return " · ".join(word for word in words if word)
