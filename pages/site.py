"""Django's admin site, whose forms act once as people's own pages do, and whose searches are as short."""

from functools import wraps
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ozone.wire.errors import Conflict, Invalid
from pages.kit.frame import error_page
from pages.kit.once import once
from pages.kit.queries import few_words
from telemetry.finding import LONGEST

_EXPRESSIONS: Final = ("__regex", "__iregex")


class Site(AdminSite):
    """The key of a form is Django's token, which is masked by chance anew in each form."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        @wraps(view)
        def acts_once(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _shorten(request)
            try:
                return once(request, lambda: view(request, *args, **kwargs), field="csrfmiddlewaretoken")
            except Conflict as error:
                return error_page(request, error)
            except OverflowError:  # of a row's number, which Django's forms hand on as it is
                return error_page(request, Invalid("A number in this form is larger than any row's."))

        return super().admin_view(acts_once, cacheable)


def _shorten(request: HttpRequest) -> None:
    """Django makes a condition of each word for each field, and looks at each column it is to sort by. It takes any
    lookup from the address, too: SQLite leaves a regular expression to Python, which holds its lock for all of it, and
    some take for ever."""
    asked = request.GET.copy()
    for name in [name for name in asked if name.endswith(_EXPRESSIONS)]:
        del asked[name]
    if words := request.GET.get(SEARCH_VAR):
        asked[SEARCH_VAR] = few_words(words)
    if columns := request.GET.get(ORDER_VAR):
        asked[ORDER_VAR] = columns[:LONGEST]
    request.GET = asked  # type: ignore[assignment]
