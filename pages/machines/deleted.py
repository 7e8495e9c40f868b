"""The deleted machines, and the deleted outlets: in no other list, and not lost."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from pages.kit.filters import Filters, search
from pages.kit.frame import staff_page
from pages.kit.listing import Listing, Sort, up
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.finding import matching_machines, matching_outlets

FOLLOWS: Final = ("people",)
SORTS: Final = {"archived": Sort("Deleted", F("archived_at").desc()), "name": Sort("Name", *up("name"))}


class DeletedFilters(Filters):
    q = search("Name")


class DeletedRow(NamedTuple):
    """`page` and `restore`: the names of its addresses."""

    pk: int
    name: str
    at: datetime
    page: str
    restore: str


@staff_page
@require_safe
def machines(request: HttpRequest) -> HttpResponse:
    return _page(request, matching_machines, kind="machine", page="machine-logs")


@staff_page
@require_safe
def outlets(request: HttpRequest) -> HttpResponse:
    return _page(request, matching_outlets, kind="outlet", page="outlet")


def _page(request: HttpRequest, matching: Any, *, kind: str, page: str) -> HttpResponse:
    """`matching`: what the actor may see of the kind, by words; `page`: where one of it is shown."""
    listing: Listing[Any] = Listing(request.GET, SORTS)

    def build() -> Screen:
        found = matching(request.user, listing.words, archived=True).exclude(archived_at=None)
        shown = listing.cut(found).values_list("pk", "name", "archived_at")
        return screen(
            lists={
                "deleted": rows(
                    "pages/machines/deleted_row.html",
                    ((row[0], DeletedRow._make((*row, page, f"{kind}-restore"))) for row in shown),
                )
            },
            parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
        )

    return live_page(
        request,
        "pages/machines/deleted.html",
        FOLLOWS,
        build,
        listing=listing,
        filters=SimpleLazyObject(lambda: DeletedFilters(listing.chosen, listing.words)),
        title=f"Deleted {kind}s",
        kind=kind,
        everything=f"{kind}s",
    )
