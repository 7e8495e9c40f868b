"""What holds for every request that Django answers."""

import logging
from collections.abc import Callable

from django.db import DatabaseError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from device_gateway.versions import RegistryVersion
from ozone.accounts.callers import is_signed_in
from ozone.intake.standing import standing
from ozone.wire import metrics
from ozone.wire.errors import (
    ApiError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    ServerError,
    Unauthorized,
    Unavailable,
)
from ozone.wire.heads import tidy
from ozone.wire.http import check_host, is_plain_http, public_host, public_scheme
from ozone.wire.times import people_zone
from ozone.wire.tracebacks import clear_frames
from ozontelemetry.openapi.shapes import STRICT, error_reply, is_api, one_slash

logger = logging.getLogger("ozontelemetry")

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _is_api(request: HttpRequest) -> bool:
    return is_api(request.path_info)


def _response(error: ApiError, request: HttpRequest) -> HttpResponse:
    reply = error_reply(error, request.path_info, request.headers.get("accept", ""))
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type, headers=reply.headers)


class ApiErrors:
    """Outermost: no HTML error page leaves the API, whoever made it, in development neither; and requests are
    counted."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            tidy(request.META)
            _one_slash(request)
            named = request.headers.get("host", request.META.get("SERVER_NAME", ""))
            check_host(named)
            facts = {"host": named, "x-forwarded-host": request.headers.get("x-forwarded-host", "")}
            check_host(public_host(request.META.get("REMOTE_ADDR", ""), facts))
        except ApiError as error:
            return _response(error, request)
        response = self.get_response(request)
        if (
            response.status_code >= 400
            and _is_api(request)
            and not response.get("Content-Type", "").startswith("application/json")
        ):
            response = _response(_error_of(response), request)
        match = request.resolver_match
        left_out = getattr(getattr(match, "func", None), "counts_all_but", None)  # a device route counts for itself
        if left_out is None or request.method in left_out:
            route = (match.view_name or match.route) if match else "unmatched"
            metrics.count_request(route, request.method or "", response.status_code)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A database that is locked or away is 503 on every path: nothing was stored, and it may be tried again."""
        if not isinstance(exception, (DatabaseError, ApiError)):
            return None
        if isinstance(exception, OperationalError):
            logger.warning("%s %s: %s", request.method, request.path_info, exception)
            clear_frames(exception)
            exception = Unavailable("The database does not answer now. Try again.")
        if isinstance(exception, ApiError) and (_is_api(request) or exception.status == 503):
            return _response(exception, request)
        return None


def _one_slash(request: HttpRequest) -> None:
    """Doubled slashes in an API path are one: devices put addresses together from pieces."""
    if "//" in request.path_info and is_api(path := one_slash(request.path_info)):
        request.path_info = request.path = path


def _error_of(response: HttpResponseBase) -> ApiError:
    if response.status_code == 405:
        return MethodNotAllowed([name.strip() for name in response.get("Allow", "").split(",") if name.strip()])
    if response.status_code == 404:
        return NotFound()
    if response.status_code == 403:
        return Forbidden()
    if response.status_code == 401:
        return Unauthorized()
    if response.status_code < 500:
        return ApiError()
    return ServerError()


class SameDatabase:
    """What people write goes into the database that its name means, or is refused: as what devices write."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in SAFE_METHODS:
            return self.get_response(request)
        try:
            standing.check(connection)
            response = self.get_response(request)
            standing.check(connection)
        except Unavailable as error:
            return _response(error, request)
        return response


class ProxyFacts:
    """Scheme and host as the client wrote them, from proxies we trust; forwarded headers of others change nothing."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = request.META.get("REMOTE_ADDR", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        scheme = public_scheme(request.META.get("wsgi.url_scheme", "http"), peer, headers)
        request.META["wsgi.url_scheme"] = scheme
        request.environ["wsgi.url_scheme"] = scheme  # type: ignore[attr-defined]
        if host := public_host(peer, headers):
            request.META["HTTP_HOST"] = host
        return self.get_response(request)


class PlainHttp:
    """In production an API request without TLS is refused, and a page is sent to its https address."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.is_secure() or not is_plain_http(request.scheme or "http", "", {}):
            return self.get_response(request)
        if request.path_info in ("/healthz", "/readyz", "/metrics", "/healthz/", "/readyz/", "/metrics/"):
            return self.get_response(request)
        if _is_api(request) or request.method not in ("GET", "HEAD"):
            refusal = Forbidden("Use https: this server takes no plain HTTP.", code="https_required")
            return _response(refusal, request)
        return HttpResponseRedirect(f"https://{request.get_host()}{request.get_full_path()}")


class ContentSecurityPolicy:
    """Scripts and styles come from here, as files; `/admin/` and `/api/docs/` bring inline ones of their own."""

    STRICT = STRICT
    INLINE = (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        inline = request.path_info.startswith(("/admin/", "/api/docs"))
        response.headers.setdefault("Content-Security-Policy", self.INLINE if inline else self.STRICT)
        return response


class AdminClock:
    """The admin site tells times, and takes them, by the clock of the pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        with timezone.override(people_zone()):
            return self.get_response(request)


class PageChanges:
    """After whatever a person changed, by page, API or admin site, the pages that are open somewhere look again."""

    PARTNERS = frozenset({"stations:data", "stations:verify"})
    """Told by a partner's system, fifty times a second: the pages of stations follow their log."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method in SAFE_METHODS or response.status_code >= 400 or not is_signed_in(request.user):
            return response
        if request.resolver_match is None or request.resolver_match.view_name in self.PARTNERS:
            return response
        try:
            RegistryVersion.change_pages()
        except DatabaseError as error:  # what was asked for is done; the pages see it with the next change
            logger.warning("pages are not told of a change: %s", error)
        return response
