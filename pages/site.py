"""Django's admin site, whose forms act once as people's own pages do."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ozone.wire.errors import Conflict
from pages.kit.frame import error_page
from pages.kit.once import once


class Site(AdminSite):
    """The key of a form is Django's token, which is masked by chance anew in each form."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        @wraps(view)
        def acts_once(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return once(request, lambda: view(request, *args, **kwargs), field="csrfmiddlewaretoken")
            except Conflict as error:
                return error_page(request, error)

        return super().admin_view(acts_once, cacheable)
