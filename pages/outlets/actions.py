"""What staff do to outlets: as the API does it."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.outlets.forms import NewOutletForm, OutletForm
from telemetry.machines import bindings
from telemetry.models import Outlet
from telemetry.visible import find, visible_outlets

_METHODS: Final = ["GET", "HEAD", "POST"]


def _outlet(request: HttpRequest, number: str, *, archived: bool = False) -> Outlet:
    return find(visible_outlets(request.user, archived=archived), int(number), code="unknown_outlet")


@staff_page
@require_http_methods(_METHODS)
def add(request: HttpRequest) -> HttpResponse:
    def perform(data: dict[str, Any]) -> str:
        return f"{Outlet.objects.create(**data)} is added."

    return action(
        request,
        NewOutletForm(sent(request)),
        perform,
        title="Add an outlet",
        back=reverse("outlets"),
        button="Add the outlet",
    )


@staff_page
@require_http_methods(_METHODS)
def edit(request: HttpRequest, number: str) -> HttpResponse:
    outlet = _outlet(request, number)
    form = OutletForm(OutletForm.stored(outlet), sent(request))

    def read() -> dict[str, Any]:
        rows = Outlet.objects.select_for_update(no_key=True).filter(archived_at=None)
        return form.stored(find(rows, outlet.pk, code="unknown_outlet"))

    def write(changes: dict[str, Any]) -> str:
        Outlet.objects.filter(pk=outlet.pk).update(**changes)
        return f"{changes.get('name', outlet)} is changed."

    return action(
        request,
        form,
        lambda _: form.save(read, write),
        title=f"Edit {outlet}",
        back=reverse("outlet", args=[outlet.pk]),
        button="Save",
    )


@staff_page
@require_http_methods(_METHODS)
def delete(request: HttpRequest, number: str) -> HttpResponse:
    outlet = _outlet(request, number)
    machines: int = outlet.machine_count  # type: ignore[attr-defined]

    def perform(_: dict[str, Any]) -> str:
        bindings.archive_outlet(outlet=outlet)
        words = '{} is deleted. What was counted there stays in the statistics. <a href="{}" data-dialog>Undo</a>'
        return format_html(words, outlet, reverse("outlet-restore", args=[outlet.pk]))

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Delete {outlet}?",
        back=reverse("outlets"),
        button="Delete the outlet",
        danger=True,
        template="pages/outlets/delete.html",
        number=machines,
    )


@staff_page
@require_http_methods(_METHODS)
def restore(request: HttpRequest, number: str) -> HttpResponse:
    outlet = _outlet(request, number, archived=True)

    def perform(_: dict[str, Any]) -> str:
        back = bindings.restore_outlet(outlet=outlet)
        return f"{outlet} is back, with {_counted(len(back))}."

    waiting = outlet.former_machines.filter(archived_at=None, outlet=None).count()
    lead = (
        f"It is in the lists again, from now on with {_counted(waiting)}: those that stood there and have got no other"
        " outlet meanwhile."
    )
    if outlet.archived_at is None:
        lead = "It is not deleted."
    return action(
        request,
        Confirmation(sent(request), seen=lead),
        perform,
        title=f"Restore {outlet}",
        lead=lead,
        back=reverse("outlet", args=[outlet.pk]),
        button="Restore",
    )


def _counted(machines: int) -> str:
    return f"{machines:,} machine{'' if machines == 1 else 's'}" if machines else "no machine"
