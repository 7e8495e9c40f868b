"""*Install or swap a board*: which machine, which board, and then how it comes to life."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from device_gateway.states import later_of
from ozone.wire.times import people_zone
from pages.install.boards import OFFERED, board_rows
from pages.install.forms import PlaceForm, SwapForm
from pages.install.ticks import ticks_of
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.finding import asked, matching_machines
from telemetry.machines.bindings import add_machine
from telemetry.machines.swapping import UNDO_HOURS, may_undo, swap_board, undo_swap
from telemetry.models import Machine, Outlet
from telemetry.presence import presence
from telemetry.visible import find, visible_machines

FOLLOWS: Final = ("people", "presence", "events", "handshakes", "minute")
_either = require_http_methods(["GET", "HEAD", "POST"])


def _machine(actor: Any, number: str) -> Machine:
    machines = visible_machines(actor).select_related("outlet", "device__state")
    return find(machines, int(number), code="unknown_machine")


def _home(machine: Machine) -> str:
    return reverse("machine-install", args=[machine.pk])


@staff_page
@_either
def install(request: HttpRequest) -> HttpResponse:
    """Which machine: one that is there, or a new one."""
    form = PlaceForm(sent(request))
    if request.method == "POST" and form.is_valid():
        return redirect(_home(_place(form.cleaned_data)))
    words = asked(request.GET.get("q", ""))
    machines = matching_machines(request.user, words).select_related("outlet", "device").order_by("name_order", "pk")
    found = list(machines[: OFFERED + 1])
    shown = {"form": form, "words": words, "machines": found[:OFFERED], "has_more": len(found) > OFFERED}
    return render(request, "pages/install/install.html", shown)


@transaction.atomic
def _place(data: dict[str, Any]) -> Machine:
    outlet = data["outlet"]
    if data["new_outlet"]:
        outlet = Outlet.objects.create(name=data["new_outlet"])
    today = timezone.now().astimezone(people_zone()).date()
    return add_machine(fields={"name": data["name"], "outlet": outlet, "installed_date": today})


@staff_page
@require_safe
def board(request: HttpRequest, number: str) -> HttpResponse:
    """Which board; and how the one that was put in last comes to life."""
    words = asked(request.GET.get("q", ""))
    return live_page(
        request,
        "pages/install/board.html",
        FOLLOWS,
        lambda: _screen(request.user, number, words, timezone.now()),
        words=words,
        most=OFFERED,
    )


def _screen(actor: Any, number: str, words: str, now: datetime) -> Screen:
    machine = _machine(actor, number)
    swap = may_undo(machine)
    facts = {"machine": machine, "board": machine.device, **_heard(machine.device, now)}
    ticks = ticks_of(swap) if swap else []
    return screen(
        lists={"boards": rows("pages/install/board_row.html", board_rows(actor, machine, words), element="li")},
        parts=[
            part("head", "pages/install/head.html", facts),
            part("ticks", "pages/install/ticks.html", {"swap": swap, "ticks": ticks, "machine": machine}),
        ],
        name=machine.name,
    )


def _heard(device: Device | None, now: datetime) -> dict[str, Any]:
    if device is None:
        return {}
    polled, seen = device.state.last_poll, device.state.last_seen
    return {"heard": later_of(polled, seen), "status": presence(polled, seen, now)}


@staff_page
@_either
def put_in(request: HttpRequest, number: str, name: str) -> HttpResponse:
    machine = _machine(request.user, number)
    device = find_device(visible_devices(request.user).select_related("machine"), name)
    old, holder = machine.device, Machine.objects.filter(device=device).exclude(pk=machine.pk).first()
    is_swap = old is not None and old != device
    seen = f"{old.pk if old else ''} {holder.pk if holder else ''}"
    form = SwapForm(sent(request), seen=seen, has_board=is_swap)

    def perform(_: dict[str, Any]) -> str:
        keep = form.keep
        swap_board(machine=machine, device=device, move=holder is not None, keep=keep, ordered_by=request.user)
        return f"{device.device_id} is in {machine} now."

    said = []
    if holder is not None:
        said.append(f"It is in {holder} now, which would be without a board.")
    if old is not None and is_swap:
        said.append(f"{old.device_id} is put away, and its waiting commands are cancelled. Choose what stays.")
    return action(
        request,
        form,
        perform,
        title=f"Put {device.device_id} into {machine}?",
        lead=" ".join([*said, f"For {UNDO_HOURS} hours you can undo it."]),
        back=_home(machine),
        button="Swap the board" if old else "Put it in",
    )


@staff_page
@_either
def undo(request: HttpRequest, number: str) -> HttpResponse:
    machine = _machine(request.user, number)
    swap = may_undo(machine)

    def perform(_: dict[str, Any]) -> str:
        back = undo_swap(machine=machine, ordered_by=request.user)
        return f"{back.device.device_id if back.device else 'No board'} is in {machine} again."

    lead = "There is nothing to undo."
    if swap is not None:
        lead = f"{swap.old.device_id if swap.old else 'No board'} is in {machine} again, as before. What was pressed"
        lead += " meanwhile stays where it was counted, and commands that were cancelled stay so."
    return action(
        request,
        Confirmation(sent(request), seen=str(swap.pk) if swap else ""),
        perform,
        title=f"Undo the swap of {machine}?",
        lead=lead,
        back=_home(machine),
        button="Undo the swap",
    )
