"""What staff do to machines: each a form on a page of its own, and a call of the service that the API calls."""

from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from device_gateway.models import Device
from ozone.wire.errors import Conflict
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.machines.forms import AssignMachineForm, MachineForm, NewMachineForm, UnassignForm, free_devices
from telemetry.figures.totals import totals
from telemetry.machines import bindings, holding
from telemetry.machines.swapping import WHAT_STAYS
from telemetry.models import Machine
from telemetry.visible import find, visible_machines

_METHODS: Final = ["GET", "HEAD", "POST"]
_WITH_DEVICES: Final = "pages/machines/action.html"


def _machine(request: HttpRequest, number: str, *, archived: bool = False) -> Machine:
    machines = visible_machines(request.user, archived=archived).select_related("device", "outlet", "former_outlet")
    return find(machines, int(number), code="unknown_machine")


@staff_page
@require_http_methods(_METHODS)
def add(request: HttpRequest) -> HttpResponse:
    return action(
        request,
        NewMachineForm(request.user, sent(request)),
        lambda data: _add(data, request.user),
        title="Add a machine",
        back=reverse("machines"),
        is_strict=True,
        button="Add the machine",
        template=_WITH_DEVICES,
        devices=free_devices(request.user),
    )


@transaction.atomic
def _add(data: dict[str, Any], actor: Any) -> str:
    device = data.pop("device")
    machine = bindings.add_machine(fields=data)
    if device is None:
        return f"{machine} is added. It has no device yet."
    bindings.assign_device(machine=machine, device=device, ordered_by=actor)
    return f"{machine} is added, with the device {device.device_id}."


@staff_page
@require_http_methods(_METHODS)
def edit(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request, number)
    form = MachineForm(MachineForm.stored(machine), sent(request))

    def perform(_: dict[str, Any]) -> str:
        return form.save(
            lambda: form.stored(holding.current(machine)),
            lambda changes: f"{bindings.change_machine(machine=machine, fields=changes)} is changed.",
        )

    return action(
        request,
        form,
        perform,
        title=f"Edit {machine}",
        back=reverse("machines"),
        is_strict=True,
        button="Save",
    )


@staff_page
@require_http_methods(_METHODS)
def assign(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request, number)
    form = AssignMachineForm(request.user, machine, sent(request))
    question = _question(machine, form) if form.is_valid() else ""
    return action(
        request,
        form.asking() if question else form,
        lambda data: form.save(
            lambda: form.stored(holding.current(machine)),
            lambda changes: _assign(machine, changes, move=data["move"], actor=request.user),
        ),
        title=f"Move a device to {machine}?" if question else f"Assign {machine}",
        lead=question,
        back=reverse("machines"),
        is_strict=True,
        button="Move it" if question else "Assign",
        template=_WITH_DEVICES,
        devices=[] if question else free_devices(request.user),
    )


def _question(machine: Machine, form: AssignMachineForm) -> str:
    """What has to be asked before the device is moved; "" where nothing is, or it has been answered."""
    device: Device | None = form.changes.get("device")
    if device is None or device == machine.device or form.cleaned_data["move"]:
        return ""
    said = []
    if holder := Machine.objects.filter(device=device).exclude(pk=machine.pk).first():
        said.append(f"{device.device_id} is in {holder} now, which would be without a device.")
    if machine.device:
        said.append(f"{machine} has {machine.device.device_id} now, which would be without a machine. {WHAT_STAYS}")
    return " ".join([*said, "What was counted so far stays where it is."]) if said else ""


def _assign(machine: Machine, changes: dict[str, Any], *, move: bool, actor: Any) -> str:
    """Both at once: the device that goes was never at the new outlet."""
    outlet = {"outlet": changes["outlet"]} if "outlet" in changes else None
    if "device" not in changes:
        machine = bindings.change_machine(machine=machine, fields=outlet or {})
    elif changes["device"] is None:
        machine = bindings.unassign_device(machine=machine, outlet=outlet, ordered_by=actor)
    else:
        device = changes["device"]
        machine = bindings.assign_device(machine=machine, device=device, move=move, outlet=outlet, ordered_by=actor)
    return f"{machine} is {_whereabouts(machine)}."


def _whereabouts(machine: Machine) -> str:
    place = f"at {machine.outlet}" if machine.outlet else "at no outlet"
    return f"{place}, with {machine.device.device_id if machine.device else 'no device'}"


@staff_page
@require_http_methods(_METHODS)
def unassign(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request, number)
    return action(
        request,
        UnassignForm(machine, sent(request)),
        lambda data: _unassign(machine, data["what"] or "device", request.user),
        title=f"Take away from {machine}",
        lead="The device stays assigned: it may go on sending, and what it sends belongs to no machine. "
        "Commands that wait for it are cancelled. What was counted so far stays with the machine and its outlet.",
        back=reverse("machines"),
        is_strict=True,
        button="Take away",
    )


@transaction.atomic
def _unassign(machine: Machine, what: str, actor: Any) -> str:
    said = []
    if what in ("device", "both"):
        if machine.device is None:
            raise Conflict(f"{machine} has no device.")
        said.append(f"the device {machine.device.device_id}")
        machine = bindings.unassign_device(machine=machine, ordered_by=actor)
    if what in ("outlet", "both"):
        said.append(f"the outlet {machine.outlet}")
        bindings.change_machine(machine=machine, fields={"outlet": None})
    return f"{machine} is without {' and '.join(said)}."


@staff_page
@require_http_methods(_METHODS)
def delete(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request, number)

    def perform(_: dict[str, Any]) -> str:
        bindings.archive_machine(machine=machine)
        words = '{} is deleted. Its events and statistics stay. <a href="{}" data-dialog>Undo</a>'
        return format_html(words, machine, reverse("machine-restore", args=[machine.pk]))

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Delete {machine}?",
        back=reverse("machines"),
        is_strict=True,
        button="Delete the machine",
        danger=True,
        template="pages/machines/delete.html",
        machine=machine,
        number=totals(request.user, machine).total,
    )


@staff_page
@require_http_methods(_METHODS)
def restore(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request, number, archived=True)
    lead = _what_comes_back(machine)

    def perform(_: dict[str, Any]) -> str:
        back, lacking = bindings.restore_machine(machine=machine)
        return " ".join([f"{back} is back, {_whereabouts(back)}.", *lacking.values()])

    return action(
        request,
        Confirmation(sent(request), seen=lead),
        perform,
        title=f"Restore {machine}",
        lead=lead,
        back=reverse("machine-logs", args=[machine.pk]),
        button="Restore",
    )


def _what_comes_back(machine: Machine) -> str:
    """What a restore would bring, and what not."""
    if machine.archived_at is None:
        return "It is not deleted."
    machine.device, lacking = bindings.returning(machine)
    said = [f"It is in the lists again, {_whereabouts(machine)}, from now on.", *lacking.values()]
    if Machine.objects.filter(archived_at=None, name=machine.name).exists():
        said.append("Another machine has this name now. Both keep it.")
    return " ".join(said)
