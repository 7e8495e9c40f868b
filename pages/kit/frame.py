"""What every page has in common: other sites' pages cannot act through it, its forms act once, it is never kept by a
cache, and whatever goes wrong on it is shown as a page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from ozone.accounts import crosssite
from ozone.wire.errors import ApiError, Forbidden, MethodNotAllowed, NotFound, Unavailable
from pages.kit.once import once
from pages.kit.windows import recognise

View = Callable[..., HttpResponseBase]

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
_TITLES: Final = {
    400: "That did not work",
    403: "You may not do this",
    404: "Nothing here",
    405: "Not this way",
    408: "That took too long",
    409: "Too late",
    413: "That is too large",
    429: "Too many tries",
    503: "The server is busy",
}


def page(view: View, *, strangers_act: bool = True) -> View:
    """Around a view of people's pages. `strangers_act`: its form is for people without an account.

    The cross-site rule of the whole system stands in the place of Django's token: a form stays good however long it is
    open, also when its person signs in anew beside it.
    """

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if request.method not in SAFE_METHODS:
                crosssite.check(request)
            # Django's own views of signing in and out ask for the token once more.
            request.csrf_processing_done = True  # type: ignore[attr-defined]
            response = once(request, lambda: view(request, *args, **kwargs), strangers_act=strangers_act)
            if response.status_code == 405:
                raise MethodNotAllowed(response["Allow"].split(", "))
        except Http404:
            response = error_page(request, NotFound())
        except ApiError as error:
            response = error_page(request, error)
        except OperationalError:
            busy = Unavailable("The database does not answer now. Nothing was changed. Try again.")
            response = error_page(request, busy)
        # As never_cache says it, which puts it together anew each time: a twentieth of an unchanged look.
        response["Cache-Control"] = "max-age=0, no-cache, no-store, must-revalidate, private"
        return response

    return answer


def signed_in_page(view: View) -> View:
    """A page for people with an account; others are sent to sign in, and come back.

    A page that asks for what is new gets 401 instead: scripts would follow to the sign-in page.
    """

    guarded = login_required(view)

    @wraps(view)
    def signed_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.headers.get("HX-Request"):
            recognise(request)
            if not request.user.is_authenticated:
                return HttpResponse(status=401)
        return guarded(request, *args, **kwargs)

    return page(signed_in, strangers_act=False)


def staff_page(view: View) -> View:
    """A page for staff; to others who are signed in it is refused."""

    @wraps(view)
    def of_staff(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_staff:
            raise Forbidden("Only staff may do this.")
        return view(request, *args, **kwargs)

    return signed_in_page(of_staff)


def error_page(request: HttpRequest, error: ApiError) -> HttpResponse:
    # Who is signed in is asked of the database; where that is what fails, the page does without.
    has_menu = not isinstance(error, Unavailable)
    return refused(render(request, "pages/kit/error.html", {**error_words(error), "has_menu": has_menu}), error)


def error_words(error: ApiError) -> dict[str, str]:
    """What the template of an error needs."""
    return {"title": _TITLES.get(error.status, _TITLES[400]), "detail": error.detail}


def refused(response: HttpResponse, error: ApiError | None) -> HttpResponse:
    """The page with the error's status and headers; as it was where there is none."""
    if error is not None:
        response.status_code = error.status
        for name, value in error.headers.items():
            response[name] = value
    return response
