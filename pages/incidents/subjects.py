"""What a form is about, where the page that led to it says so."""

from django.http import HttpRequest

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from pages.kit.filters import is_number
from telemetry.models import Machine, Outlet
from telemetry.visible import find, visible_machines, visible_outlets


def _number(request: HttpRequest, name: str) -> int | None:
    """Of the address, or of the form that it made."""
    told = request.GET.get(name) or request.POST.get(name) or ""
    return int(told) if is_number(told) else None


def machine_of(request: HttpRequest) -> Machine | None:
    """Raises NotFound."""
    number = _number(request, "machine")
    return None if number is None else find(visible_machines(request.user), number, code="unknown_machine")


def outlet_of(request: HttpRequest) -> Outlet | None:
    """Raises NotFound."""
    number = _number(request, "outlet")
    return None if number is None else find(visible_outlets(request.user), number, code="unknown_outlet")


def device_of(request: HttpRequest) -> Device | None:
    """Raises NotFound."""
    number = _number(request, "device")
    return None if number is None else find(visible_devices(request.user), number, code="unknown_device")
