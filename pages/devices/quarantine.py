"""Events of a device that were refused: let one go, or make it right."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from device_gateway.models import Device
from ozone.intake import call_and_wait
from ozone.wire.errors import Conflict, NotFound
from pages.devices.actions import device_named, either, home
from pages.devices.forms import CorrectionForm
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from telemetry.events.services import accept_refused, discard_refused
from telemetry.models import QuarantinedEvent


def _refused(device: Device, number: str) -> QuarantinedEvent:
    """Raises NotFound, or Conflict where somebody has let it go."""
    row = QuarantinedEvent.objects.filter(device=device, pk=int(number)).first()
    if row is None:
        raise NotFound("There is no such refused event.", code="unknown_quarantined_event")
    if row.state != QuarantinedEvent.State.OPEN:
        raise Conflict("This event has been let go already.", code="already_let_go")
    return row


@staff_page
@either
def discard(request: HttpRequest, name: str, number: str) -> HttpResponse:
    device = device_named(request, name)
    refused = _refused(device, number)

    def perform(data: dict[str, Any]) -> str:
        discard_refused(device=device, number=refused.pk)
        return "Discarded. Its next try is acknowledged, and counts nowhere."

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title="Discard a refused event",
        lead="The device’s next try is acknowledged, so that it goes on with the next event. This one counts nowhere.",
        back=home(device),
        button="Discard",
        danger=True,
        template="pages/devices/refused.html",
        refused=refused,
        body=refused.body,
    )


@staff_page
@either
def accept(request: HttpRequest, name: str, number: str) -> HttpResponse:
    device = device_named(request, name)
    refused = _refused(device, number)

    def perform(data: dict[str, Any]) -> str:
        event_id = call_and_wait(accept_refused, device=device, number=refused.pk, correction=data["body"])
        return f"The event {event_id} is stored as of its first arrival. Its next try is acknowledged."

    return action(
        request,
        CorrectionForm(refused, sent(request)),
        perform,
        title="Accept a refused event, corrected",
        lead="It is stored as of its first arrival. The device’s next try is acknowledged.",
        back=home(device),
        button="Accept",
        template="pages/devices/refused.html",
        refused=refused,
    )
