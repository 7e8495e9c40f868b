"""`ApiView`: the base of every JSON view for people. Relies on no setting of Django REST Framework."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from django.core.signals import got_request_exception
from django.http import HttpResponseBase
from django.views.generic import View
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from ozone.accounts.authentication import AccessTokenAuthentication, SessionAuthentication
from ozone.accounts.callers import LocalOperator, headers_of, is_local_operator, is_person, may_use_sections
from ozone.accounts.permissions import SignedIn
from ozone.webapi import heavy
from ozone.webapi.errors import as_api_error
from ozone.wire import jsonio, metrics
from ozone.wire.bodies import check_length, require_json
from ozone.wire.conf import options
from ozone.wire.errors import (
    ApiError,
    BodyTooLarge,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    ServerError,
    WrongContentType,
)
from ozone.wire.limits import Limit

logger = logging.getLogger("ozone.webapi")

_PERSON_CALLS: Final = Limit("person_calls", lambda: options().LIMIT_PERSON_CALLS, "Too many calls.", flows=True)


class StrictJsonParser(BaseParser):
    """A body of JSON, no larger than BODY_LIMIT, in which no key stands twice."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = options().BODY_LIMIT
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(limit)
        headers = parser_context["request"].headers
        require_json(body, headers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise WrongContentType("Send the body uncompressed.", code="wrong_content_encoding")
        return jsonio.decode_unique(body)


class StrictJsonRenderer(JSONRenderer):
    """As the framework's, in UTF-8, compact, whatever a host project has set."""

    ensure_ascii = False
    compact = True
    strict = True

    def get_indent(self, accepted_media_type: str | None, renderer_context: Any) -> None:
        return None


class PlainJsonRenderer(StrictJsonRenderer):
    """For long replies of plain values: twenty times as fast, and never for long without a break for other threads."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if renderer_context["response"].exception:
            return super().render(data, accepted_media_type, renderer_context)
        return jsonio.encode_in_parts(data)


class JsonOnly(BaseContentNegotiation):
    """One format both ways, whatever `Accept` says: a reply is never 406, and the parser judges the content type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ApiView(APIView):
    """A JSON view for people, with the errors of the contract's section 0. Signed in, unless a subclass says else.

    A subclass chooses `permission_classes` (ozone.accounts.permissions, or AllowAny) and the four below, and may put a
    subclass of AccessTokenAuthentication into `authentication_classes`. `request.user` is a `callers.Caller`.
    """

    allow_local_operator: ClassVar[bool] = False
    """In development a request from this machine without credentials acts as staff."""
    session_only: ClassVar[bool] = False
    """An access token is 403 here (flush, user administration)."""
    allow_station_connector: ClassVar[bool] = False
    """Access tokens of the group `station-connector` are good here (section 4 only)."""

    is_heavy: ClassVar[bool] = False
    """Takes a place among the heavy reads, until its reply is made; of a stream, until that is closed."""

    is_hashing: ClassVar[bool] = False
    """Its POST may hash a password."""

    http_method_names = [name for name in View.http_method_names if name not in ("options", "trace")]
    authentication_classes: Sequence[type[BaseAuthentication]] = (AccessTokenAuthentication, SessionAuthentication)
    permission_classes: Sequence[type[BasePermission]] = (SignedIn,)
    _leave: Callable[[], None] | None = None
    throttle_classes = ()
    parser_classes = (StrictJsonParser,)
    renderer_classes = (StrictJsonRenderer,)
    content_negotiation_class = JsonOnly
    metadata_class = None
    versioning_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # What needs no look at the caller comes first: a wrong method is 405 for everybody.
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(self.allowed_methods)
        request._request.get_host()  # raises DisallowedHost
        check_length(headers_of(request._request))
        super().initial(request, *args, **kwargs)
        if self.is_heavy:
            heavy.places.take(person := heavy.person_of(request.user))
            self._leave = partial(heavy.places.leave, person)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        leave, self._leave = self._leave, None
        if leave is not None:
            if getattr(response, "streaming", False):
                response._resource_closers.append(leave)
            else:
                leave()
        return super().finalize_response(request, response, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        signed_out = request.successful_authenticator is None
        if self.allow_local_operator and signed_out and is_local_operator(request._request):
            request.user = LocalOperator()  # type: ignore[assignment]

    def check_permissions(self, request: Request) -> None:
        """As the framework's; then what an access token may not, though its user may."""
        super().check_permissions(request)
        if not isinstance(request.successful_authenticator, AccessTokenAuthentication) or not is_person(request.user):
            return
        if self.session_only:
            raise Forbidden("This needs a session: an access token is not enough.", code="session_required")
        if not self.allow_station_connector and not may_use_sections(request.user):
            raise Forbidden("This account's tokens are good for stations only.", code="stations_only")

    def check_throttles(self, request: Request) -> None:
        if is_person(request.user):
            _PERSON_CALLS.hit(str(request.user.pk))

    def error_body(self, error: ApiError) -> dict[str, Any]:
        """The reply's JSON object; for views with an error shape of their own to override."""
        return error.body()

    def handle_exception(self, exc: Exception) -> Response:
        error = as_api_error(exc, self.allowed_methods)
        if error is None:
            error = self._fault(exc)
        set_rollback()  # of a host project's ATOMIC_REQUESTS: an error must leave nothing behind
        metrics.REJECTED.labels(error.code).inc()
        response = Response(self.error_body(error), status=error.status, headers=error.headers)
        response.exception = True
        return response

    def _fault(self, exc: Exception) -> ServerError:
        """Reports what Django would have reported, so that the reply can be JSON in any project."""
        got_request_exception.send(sender=type(self), request=self.request._request)
        logger.error("%s %s failed", self.request.method, self.request.path, exc_info=exc)
        return ServerError()


class NothingHere(ApiView):
    """404 in JSON for every other path below a mount of ours."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def nothing(*_: Any, **__: Any) -> Response:
            raise NotFound

        for method in self.http_method_names:
            setattr(self, method, nothing)
        return super().dispatch(request, *args, **kwargs)
