"""What operators do to one device."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from device_gateway.enrolment import services as enrolment
from device_gateway.models import Credential, Device
from device_gateway.registry.queries import find_device, visible_devices
from device_gateway.registry.services import archive_device, change_device, restore_device
from ozone.wire.conf import options
from ozone.wire.errors import Conflict
from ozone.wire.words import duration
from pages.devices.forms import AllowForm, AssignDeviceForm, EditForm, RenameForm
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.templatetags.facts import ago, local
from telemetry.events.services import redate as redate_events
from telemetry.machines.bindings import assign_device, unassign_device
from telemetry.models import Machine, TelemetryEvent

either = require_http_methods(["GET", "HEAD", "POST"])


def device_named(request: HttpRequest, name: str, *, archived: bool = False) -> Device:
    """Raises NotFound."""
    devices = visible_devices(request.user, archived=archived)
    return find_device(devices.select_related("owner", "machine__outlet"), name)


def _locked(device: Device) -> Device:
    """As it is now, its row locked. Raises NotFound where it was archived."""
    devices = Device.objects.select_for_update(of=("self",), no_key=True).select_related("owner")
    return find_device(devices.filter(archived_at=None), str(device.pk))


def home(device: Device) -> str:
    return reverse("device", args=[device.device_id])


@staff_page
@either
def edit(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    form = EditForm(EditForm.stored(device), sent(request))

    def write(changes: dict[str, Any]) -> str:
        return f"{change_device(device=device, fields=changes)} is changed."

    return action(
        request,
        form,
        lambda _: form.save(lambda: form.stored(_locked(device)), write),
        title=f"Edit {device}",
        back=home(device),
        button="Save",
        template="pages/devices/edit.html",
    )


@staff_page
@either
def rename(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    former = device.device_id
    form = RenameForm(RenameForm.stored(device), sent(request))

    def write(changes: dict[str, Any]) -> str:
        change_device(device=device, fields=changes)
        return f"{former} is called {device.device_id} now."

    def perform(_: dict[str, Any]) -> str:
        return form.save(lambda: form.stored(_locked(device)), write)

    lead = "" if device.assigned else "A device that is given a device_id is assigned: what it sends is taken."
    return action(request, form, perform, title=f"Rename {former}", lead=lead, back=home(device), button="Rename")


@staff_page
@either
def assign(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    form = AssignDeviceForm(request.user, device, request.GET.get("q", ""), sent(request))

    def perform(data: dict[str, Any]) -> str:
        machine = assign_device(
            machine=data["machine"], device=device, move=bool(data["sure_of"]), ordered_by=request.user
        )
        return f"{device} is in the machine {machine} now."

    return action(
        request,
        form,
        perform,
        title=f"Assign {device} to a machine",
        lead="From now on its events count for that machine and its outlet. It becomes assigned.",
        back=home(device),
        button="Assign",
        template="pages/devices/assign.html",
    )


@staff_page
@either
def unassign(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    held_by = Machine.objects.filter(device=device).first()

    def perform(data: dict[str, Any]) -> str:
        machine = Machine.objects.filter(device=device).first()
        if machine is None:
            raise Conflict("No machine has this device.", code="not_bound")
        unassign_device(machine=machine, ordered_by=request.user)
        return f"{device} is in no machine any more."

    return action(
        request,
        Confirmation(sent(request), seen=str(held_by.pk) if held_by else ""),
        perform,
        title=f"Take {device} out of {f'the machine {held_by}' if held_by else 'its machine'}",
        lead="What it sends from now on belongs to no machine. Commands that wait for it are cancelled. What was"
        " counted stays with the machine.",
        back=home(device),
        button="Unassign",
    )


@staff_page
@either
def allow(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    key = _key(device)

    def perform(data: dict[str, Any]) -> str:
        window = enrolment.allow_handshake(device=device, now=timezone.now())
        return format_html("The next handshake of {} gets a token, until {}.", device, local(window.open_until))

    if key is None:
        lead: Any = "It has no token now."
    elif key.last_used_at is None:
        lead = "Its token was never used."
    else:
        lead = format_html("Its token was last used {}.", ago(key.last_used_at))
    return action(
        request,
        AllowForm(key, timezone.now(), sent(request)),
        perform,
        title=f"Allow {device} to enrol again",
        lead=lead,
        back=home(device),
        button="Allow re-enrolment",
    )


@staff_page
@either
def rotate(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)

    def perform(data: dict[str, Any]) -> str:
        window = enrolment.rotate(device=device, now=timezone.now())
        said = "The token of {} is revoked. Its handshake gets a new one until {}."
        return format_html(said, device, local(window.open_until))

    key = _key(device)
    lead = "Its token stops working at once. The machine notices at its next poll, shakes hands, and gets a new one."
    if key is not None and key.source == Credential.Source.CLAIM:
        lead = (
            "Its key came by a claim. A meter that is refused erases its key and waits for a new provisioning token:"
            " somebody may have to go there."
        )
    hours = duration(options().ENROLMENT_HOURS * 3600)
    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Rotate the token of {device}",
        lead=f"{lead} For {hours} the first to shake hands with its MAC gets one.",
        back=home(device),
        button="Rotate token",
        danger=True,
    )


def _key(device: Device) -> Credential | None:
    return device.credentials.filter(revoked_at=None).first()


@staff_page
@either
def redate(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)
    now = timezone.now()

    def perform(data: dict[str, Any]) -> str:
        count = redate_events(device=device.pk, until=now)
        return f"{count:,} events of {device} have their time of arrival now." if count else "There was none left."

    suspect = TelemetryEvent.objects.filter(device=device, clock_suspect=True).count()
    lead = f"{suspect:,} events came with a time that cannot be right." if suspect else "No event is suspect now."
    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Give suspect events of {device} their time of arrival",
        lead=f"{lead} The statistics, machines and outlets follow. The device’s own words stay with each event.",
        back=home(device),
        button="Give the time of arrival",
    )


@staff_page
@either
def archive(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name)

    def perform(data: dict[str, Any]) -> str:
        archive_device(device=device, now=timezone.now())
        return f"{device} is archived. It can be restored here, or from the list of archived devices."

    machine = getattr(device, "machine", None)
    bound = f" It stays in the machine {machine} unless you unassign it first." if machine else ""
    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Archive {device}",
        lead="It leaves every list, and whatever it sends is refused with 403, so that it keeps its key. Its history"
        f" stays, and you can restore it.{bound}",
        back=home(device),
        button="Archive",
        danger=True,
    )


@staff_page
@either
def restore(request: HttpRequest, name: str) -> HttpResponse:
    device = device_named(request, name, archived=True)

    def perform(data: dict[str, Any]) -> str:
        restore_device(device=device)
        return f"{device} is back, with the token it had."

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Restore {device}",
        lead="It is in the lists again, and what it sends is taken with the token it had.",
        back=home(device),
        button="Restore",
    )
