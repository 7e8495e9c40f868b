"""Adding devices from a CSV file: first what it says, line by line, then, once that is confirmed, the good lines."""

import re
from base64 import b64decode, b64encode
from itertools import islice
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_http_methods

from ozone.webapi.heavy import heavy, person_of, places
from ozone.wire.charset import Encoding, Reading, encoding_called, read_as, readings
from ozone.wire.errors import Invalid
from pages.devices.file import COLUMNS, MAX_LINES, Line, add, read_lines
from pages.devices.list_forms import UploadForm
from pages.kit.frame import staff_page
from pages.kit.once import shows_once

SHOWN: Final = 200
"""Lines of a kind on the page; of more it tells the number."""
_SAMPLES: Final = 3
_LOOKED_AT: Final = 10_000
"""Cells, for samples."""


class Choice(NamedTuple):
    """One way to read the file. `sample`: some of its words in which the ways differ."""

    name: str
    title: str
    sample: str


@heavy
@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """The file goes to the browser and comes back, with the encoding that was shown, and with another that is to be
    shown or else the confirmation. It is judged anew each time."""
    if request.method != "POST":
        return _page(request, UploadForm())
    with places.one(person_of(request.user)):
        return _judged(request)


def _judged(request: HttpRequest) -> HttpResponse:
    """In a place for heavy reads: a megabyte is read in up to twelve encodings."""
    if "content" not in request.POST:
        form = UploadForm(request.POST, request.FILES)
        return _look(request, form) if form.is_valid() else _page(request, form)
    form, shown = _sent_again(request.POST)
    other = encoding_called(request.POST.get("other", shown.name))
    if other == shown and "read" not in request.POST:
        return _add(request, form, shown)
    return _look(request, form, other)


def _sent_again(post: QueryDict) -> tuple[UploadForm, Encoding]:
    """The file as if it were chosen once more, and the encoding it was shown in. Raises Invalid where it is nothing
    that this page has sent."""
    encoding = encoding_called(post.get("encoding", ""))
    try:
        content = b64decode(post.get("content", ""), validate=True)
    except ValueError:
        content = b""
    form = UploadForm({}, MultiValueDict({"file": [SimpleUploadedFile("devices.csv", content)]}))
    if encoding is None or not form.is_valid():
        raise Invalid("This is not what the page has shown. Choose the file again.")
    return form, encoding


def _look(request: HttpRequest, form: UploadForm, encoding: Encoding | None = None) -> HttpResponse:
    """What the file says, in the likeliest encoding unless another is told."""
    content: bytes = form.cleaned_data["file"].read()
    found, is_sure = readings(content)
    chosen = [reading for reading in found if encoding in (None, reading.encoding)]
    if not chosen:
        form.add_error("file", "This is not a text file. Save the table as CSV.")
        return _page(request, form)
    context: dict[str, Any] = {"reading": chosen[0], "is_sure": is_sure}
    if len(found) > 1:
        context["choices"] = [Choice(one.encoding.name, one.encoding.title, _sample(one.text)) for one in found]
    try:
        context |= _sorted(read_lines(chosen[0].text))
    except Invalid as error:
        form.add_error("file", error.detail)
    return _page(request, form, content, **context)


def _sample(text: str) -> str:
    cells = (found[0] for found in islice(re.finditer(r"[^\r\n\t;,\"]+", text), _LOOKED_AT))
    others = dict.fromkeys(cell for cell in cells if not cell.isascii())
    return " · ".join(islice(others, _SAMPLES))


def _add(request: HttpRequest, form: UploadForm, encoding: Encoding) -> HttpResponse:
    content: bytes = form.cleaned_data["file"].read()
    text = read_as(content, encoding)
    if text is None:
        raise Invalid("The file cannot be read so. Choose it again.")
    lines = read_lines(text)
    add(lines)
    added = sum(line.added for line in lines)
    said = "One device is added." if added == 1 else f"{added:,} devices are added." if added else "None is added."
    left = _sorted(lines)
    if not left["bad"] and not left["good"]:
        messages.success(request, said if added else "Nothing to add: all of them are there already.")
        return redirect("devices")
    messages.add_message(request, messages.SUCCESS if added else messages.WARNING, said)
    page = _page(request, UploadForm(), content, reading=Reading(encoding, text), is_done=True, **left)
    return shows_once(page)


def _sorted(lines: list[Line]) -> dict[str, Any]:
    """The lines that are wrong, those of devices that are there already, and those that can be added."""
    bad = [line for line in lines if line.problem and not line.exists]
    there = [line for line in lines if line.exists]
    good = [line for line in lines if not line.problem and not line.added]
    return {"total": len(lines), "bad": bad, "there": there, "good": good}


def _page(request: HttpRequest, form: UploadForm, content: bytes = b"", **context: Any) -> HttpResponse:
    told = {"columns": COLUMNS, "most": MAX_LINES, "shown": SHOWN, "content": b64encode(content).decode()}
    return render(request, "pages/devices/upload.html", {"form": form, **told, **context})
