"""What people do: a small page with a form, which scripts show as a dialog. It leads back to where one came from."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from ozone.wire.errors import ApiError
from pages.kit.frame import refused

NEXT = "next"


class Confirmation(forms.Form):
    """Nothing to fill in: the page's words are the question."""


def action(
    request: HttpRequest,
    form: forms.Form,
    perform: Callable[[dict[str, Any]], str],
    *,
    title: str,
    back: str,
    button: str,
    lead: str = "",
    danger: bool = False,
    template: str = "pages/kit/action.html",
    **context: Any,
) -> HttpResponse:
    """Shows the form; sent and valid, calls `perform` with its values, says what that returned, if anything, and
    goes back.

    What `perform` raises as an ApiError is said on the form, field by field where it names them, under its status.
    `back`: the path to return to unless the form names another of ours.
    """
    failure = None
    if request.method == "POST" and form.is_valid():
        try:
            said = perform(form.cleaned_data)
        except ApiError as error:
            failure = error
            for field, sentences in (error.errors or {"": [error.detail]}).items():
                place = field if field in form.fields else None
                words = f"{field}: " if field and place is None else ""
                form.add_error(place, [f"{words}{sentence}" for sentence in sentences])
        else:
            if said:
                messages.success(request, said)
            return redirect(way_back(request, back))
    shown = {"form": form, "title": title, "lead": lead, "button": button, "danger": danger, **context}
    shown["back"] = way_back(request, back)
    return refused(render(request, template, shown), failure)


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: whatever was sent, be it nothing; None where the form is only shown."""
    return request.POST if request.method == "POST" else None


def way_back(request: HttpRequest, usual: str) -> str:
    """Where the person came from, if that is a page of ours; else `usual`."""
    told = request.POST.get(NEXT) or request.GET.get(NEXT) or ""
    return told if told.startswith("/") and url_has_allowed_host_and_scheme(told, None) else usual
