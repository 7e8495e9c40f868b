"""Short CSV files: made in memory, and sent as a whole."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes

from ozone.webapi.parameters import BOM

CSV: Final = {(200, "text/csv"): OpenApiTypes.STR}
"""The reply, described."""


def sheet(name: str, rows: Iterable[Sequence[Any]], *, bom: bool) -> HttpResponse:
    """A file of that name. With `bom` it begins with a byte order mark."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return file(name, text.getvalue().encode(), bom=bom)


def file(name: str, content: bytes, *, bom: bool) -> HttpResponse:
    """The same of rows that are written already."""
    disposition = f'attachment; filename="{name}"'
    head = BOM.encode() if bom else b""
    return HttpResponse(head + content, "text/csv; charset=utf-8", headers={"Content-Disposition": disposition})
