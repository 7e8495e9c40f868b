"""What staff do to outlets: as the API does it."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.outlets.forms import NewOutletForm, OutletForm
from telemetry.machines import bindings
from telemetry.models import Outlet
from telemetry.visible import find, visible_outlets

_METHODS: Final = ["GET", "HEAD", "POST"]


def _outlet(request: HttpRequest, number: str) -> Outlet:
    return find(visible_outlets(request.user), int(number), code="unknown_outlet")


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
        return f"{outlet} is deleted. What was counted there stays in the statistics."

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
