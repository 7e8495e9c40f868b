"""Lists in pages: a reply holds so many rows of them, fewer where they are large, and its reader is told where the next
begins."""

from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast, Length
from rest_framework.request import Request

MOST: Final = 8 * 1024 * 1024
"""Characters of JSON that a reply is made of: understood, they take ten times as many bytes."""
_LOOK: Final = 100


class Fit(NamedTuple):
    """Of rows so many, of `size` characters, are taken at once; `has_more`: there are others behind them."""

    number: int
    size: int
    has_more: bool


def fitting(rows: "QuerySet[Any, Any]", column: str, most: int) -> Fit:
    """Of the first `most` rows those whose JSON in that column comes to MOST characters; one at least, if there is
    any. The database measures them: none of it is read."""
    lengths = rows.values_list(Length(Cast(column, TextField())), flat=True)[: most + 1]
    number = size = 0
    for length in lengths.iterator(chunk_size=_LOOK):
        more = size + (length or 0)
        if number == most or (number and more > MOST):
            return Fit(number, size, has_more=True)
        number, size = number + 1, more
    return Fit(number, size, has_more=False)


def following(request: Request, **place: Any) -> str:
    """The address of the page that begins at `place`, of what else was asked for."""
    return f"{request.build_absolute_uri(request.path)}?{urlencode({**request.query_params.dict(), **place})}"


def link_to(address: str) -> dict[str, str]:
    """The header that tells of the next page."""
    return {"Link": f'<{address}>; rel="next"'}
