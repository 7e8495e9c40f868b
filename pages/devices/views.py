"""One device: the operators' home for all that concerns it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from device_gateway.registry.queries import find_device, visible_devices
from pages.devices.screen import device_screen
from pages.kit.frame import signed_in_page
from pages.kit.live import VERSION, live_page

FOLLOWS = ("people", "presence", "events", "readings", "commands", "deadlines", "refused", "handshakes", "minute")


@signed_in_page
@require_safe
def device(request: HttpRequest, name: str) -> HttpResponse:
    """By its number, its MAC or a former name it is found, too, and then shown under the name it has now."""
    if VERSION not in request.headers:
        found = find_device(visible_devices(request.user, archived=request.user.is_staff), name)
        if found.device_id != name:
            return redirect("device", found.device_id)
    return live_page(
        request, "pages/devices/device.html", FOLLOWS, lambda: device_screen(request.user, name, timezone.now())
    )
