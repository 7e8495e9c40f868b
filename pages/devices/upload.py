"""Adding devices from a CSV file: first what it says, line by line, then, once that is confirmed, the good lines."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ozone.wire.errors import Invalid
from pages.devices.file import COLUMNS, MAX_LINES, Line, add, read_lines, read_text
from pages.devices.list_forms import UploadForm
from pages.kit.actions import sent
from pages.kit.frame import staff_page
from pages.kit.once import shows_once

SHOWN: Final = 200
"""Lines of a kind on the page; of more it tells the number."""


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """The file's text goes to the browser and comes back with the confirmation, and is judged anew then."""
    if "text" in request.POST:
        return _add(request, request.POST["text"])
    form = UploadForm(sent(request), request.FILES)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            text = read_text(form.cleaned_data["file"].read())
            context = {"text": text, **_sorted(read_lines(text))}
        except Invalid as error:
            form.add_error("file", error.detail)
    return _page(request, form, **context)


def _add(request: HttpRequest, text: str) -> HttpResponse:
    lines = read_lines(text.replace("\0", ""))  # which PostgreSQL takes in no text
    add(lines)
    added = sum(line.added for line in lines)
    said = "One device is added." if added == 1 else f"{added:,} devices are added." if added else "None is added."
    left = _sorted(lines)
    if not left["bad"] and not left["good"]:
        messages.success(request, said if added else "Nothing to add: all of them are there already.")
        return redirect("devices")
    messages.add_message(request, messages.SUCCESS if added else messages.WARNING, said)
    return shows_once(_page(request, UploadForm(), text=text, is_done=True, **left))


def _sorted(lines: list[Line]) -> dict[str, Any]:
    """The lines that are wrong, those of devices that are there already, and those that can be added."""
    bad = [line for line in lines if line.problem and not line.exists]
    there = [line for line in lines if line.exists]
    good = [line for line in lines if not line.problem and not line.added]
    return {"total": len(lines), "bad": bad, "there": there, "good": good}


def _page(request: HttpRequest, form: UploadForm, **context: Any) -> HttpResponse:
    told = {"columns": COLUMNS, "most": MAX_LINES, "shown": SHOWN}
    return render(request, "pages/devices/upload.html", {"form": form, **told, **context})
