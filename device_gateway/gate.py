"""One handler, two doors: a device route answers as a bare ASGI endpoint and as a Django view, by the same steps.

The steps, in this order: method, host, TLS, size, body, gzip, identity, the device's own limit; then the handler,
which is synchronous and returns a reply, or a write whose reply is sent once it is committed.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic
from typing import Any, Final, Protocol, cast

from django.db import close_old_connections, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from device_gateway.keys.identity import Identity
from device_gateway.keys.memory import KEY_USES, keyring
from ozone import intake
from ozone.wire import bodies, limits, metrics
from ozone.wire.conf import options
from ozone.wire.errors import (
    ApiError,
    BodyTimeout,
    BodyTooLarge,
    Forbidden,
    MethodNotAllowed,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ozone.wire.heads import fold_headers, tidy
from ozone.wire.http import NOSNIFF, Reply, Request, check_host, is_plain_http, public_host
from ozone.wire.work import computing

logger = logging.getLogger("device_gateway")

Scope = Mapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Any], Any]


@dataclass(slots=True)
class Write:
    """A row for the write path, of `size` bytes, holding `rows` of a table.

    `reply` goes out when it is committed; or is made of the store's result, and may then raise an ApiError.
    """

    kind: str
    row: Any
    size: int
    rows: int
    reply: Reply | Callable[[Any], Reply]

    def answer(self, result: Any) -> Reply:
        return self.reply if type(self.reply) is Reply else self.reply(result)  # type: ignore[operator]


@dataclass(slots=True)
class Call:
    """A service to run in the writer's transaction; `reply` makes the reply of its result."""

    service: Callable[..., Any]
    arguments: dict[str, Any]
    reply: Callable[[Any], Reply]


class HeldReply(Protocol):
    """A reply that waits for something to happen."""

    async def answer_later(self, receive: "Receive") -> Reply:
        """On the event loop; raises ClientLeft when nobody waits any more."""

    def answer_now(self) -> Reply:
        """In a thread, which is not to be held up."""


Outcome = Reply | Write | Call | HeldReply
Handler = Callable[[Request, Identity], Outcome]
OpenHandler = Callable[[Request], Outcome]


class ClientLeft(Exception):
    """Nobody waits for a reply any more."""


class DeviceRoute:
    """One path of the device side.

    `path` is a regular expression without its slashes at the ends, groups named; `handlers` maps a method to
    `(request, identity) -> …`, or to `(request) -> …` where `is_open`: no key is needed. `asks_limits`: such a handler,
    or its reply, asks a Limit, which may be counted by another server. `plain_http` routes answer without TLS in
    production too (probes). `other_methods` names what a Django view at the same path answers.
    An unassigned device is refused with `unassigned`: 403, so that a meter keeps its key, or 401, so that an Ozone
    device shakes hands.
    """

    def __init__(
        self,
        path: str,
        handlers: Mapping[str, Handler] | Mapping[str, OpenHandler],
        *,
        is_open: bool = False,
        asks_limits: bool = False,
        plain_http: bool = False,
        other_methods: Iterable[str] = (),
        unassigned: type[ApiError] = Forbidden,
    ) -> None:
        self.path = path
        self.unassigned = unassigned
        self.handlers: Mapping[str, Callable[..., Outcome]] = handlers
        self.is_open = is_open
        self.asks_limits = asks_limits
        self.plain_http = plain_http
        self.allowed = sorted({*handlers, *other_methods})
        self.is_shared = len(self.allowed) > len(handlers)

    # --- what both doors do ---

    def _begin(self, method: str, scheme: str, peer: str, headers: Mapping[str, str]) -> None:
        if method not in self.handlers:
            raise MethodNotAllowed(self.allowed)
        check_host(headers.get("host", ""))
        if "x-forwarded-host" in headers:  # of a proxy we trust it goes into replies
            check_host(public_host(peer, headers))
        if not self.plain_http and is_plain_http(scheme, peer, headers):
            raise Forbidden("Use https: this server takes no plain HTTP.", code="https_required")
        bodies.check_length(headers)

    def _handle(self, request: Request, identity: Identity | None) -> Outcome:
        handler = self.handlers[request.method]
        if identity is None:
            return handler(request)
        if identity.archived:
            raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
        if not identity.assigned:
            raise self.unassigned("This device is not assigned. An operator can assign it.", code="not_assigned")
        wait = identity.wait_for_turn(monotonic())
        if wait:
            raise TooManyRequests(wait, "This device writes faster than it may.")
        if (use := keyring.note_use(identity, request)) is not None:
            try:
                noting = intake.post(KEY_USES, use)
            except Unavailable:
                identity.use_noted_at = None  # the next request notes it
                raise
            noting.add_done_callback(lambda done: _unless_noted(identity, done))
        return handler(request, identity)

    def _refused(self, error: Exception, method: str) -> Reply:
        if not isinstance(error, ApiError):
            logger.error("%s %s failed", method, self.path, exc_info=error)
            error = ServerError()
        metrics.count_request(self.path, method, error.status, error.code)
        error.__traceback__ = (
            None  # its frames hold what holds it: left alone, a stranger's requests are the collector's
        )
        return Reply.of_error(error)

    def _answered(self, reply: Reply, method: str) -> Reply:
        metrics.count_request(self.path, method, reply.status)
        return reply

    # --- the ASGI door ---

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        try:
            reply = self._answered(await self._answer(scope, method, receive), method)
        except ClientLeft:
            return
        except Exception as error:
            reply = self._refused(error, method)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.raw_headers()})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})

    async def _answer(self, scope: Scope, method: str, receive: Receive) -> Reply:
        client = scope.get("client")
        peer = client[0] if client else ""
        scheme = scope.get("scheme", "http")
        target = len(method) + len(scope["path"]) + len(scope.get("query_string", b""))
        try:
            headers = fold_headers(scope["headers"], target)
            self._begin(method, scheme, peer, headers)
        except ApiError:
            await bodies.read_on(scope, receive)
            raise
        body = await bodies.read_body(scope, headers, receive, options().BODY_LIMIT)
        request = Request(
            method=method,
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            peer=peer,
            scheme=scheme,
            body=bodies.decompress(body, headers) if "content-encoding" in headers else body,
            received_at=datetime.now(UTC),
            params=scope.get("path_params") or {},
        )
        outcome = await self._outcome(request)
        if type(outcome) is Write:
            result = await intake.submit(outcome.kind, outcome.row, outcome.size, outcome.rows)
            if self.asks_limits and limits.are_shared():
                return await asyncio.get_running_loop().run_in_executor(_limit_threads(), outcome.answer, result)
            return outcome.answer(result)
        if type(outcome) is Call:
            return outcome.reply(await intake.call(outcome.service, **outcome.arguments))
        if isinstance(outcome, Reply):
            return outcome
        # Ten thousand may wait here at once: what they came with need not.
        del request, headers, body
        return await cast(HeldReply, outcome).answer_later(receive)

    async def _outcome(self, request: Request) -> Outcome:
        if len(request.body) > LARGE_BODY:
            return await asyncio.get_running_loop().run_in_executor(_large_bodies(), self._outcome_in_thread, request)
        if self.is_open:
            if self.asks_limits and limits.are_shared():
                return await asyncio.get_running_loop().run_in_executor(_limit_threads(), self._handle, request, None)
            return self._handle(request, None)
        token = _token_of(request)
        identity = keyring.find(token)
        if identity is not None:
            try:
                return self._handle(request, identity)
            except Unauthorized:
                pass  # what memory would refuse is looked up first: the device may just have been renamed
        loop = asyncio.get_running_loop()
        identity = await loop.run_in_executor(_lookup_threads(), _look_up, token, request.client)
        return self._handle(request, identity)

    # --- the Django door ---

    def view(self, request: HttpRequest, **params: str) -> HttpResponse:
        method = request.method or "GET"
        try:
            reply = self._answered(self._answer_django(request, method, params), method)
        except Exception as error:
            reply = self._refused(error, method)
        headers = {**NOSNIFF, **(reply.headers or {})}
        return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type, headers=headers)

    def _answer_django(self, django_request: HttpRequest, method: str, params: dict[str, str]) -> Reply:
        tidy(django_request.META)
        headers = {name.lower(): value for name, value in django_request.headers.items()}
        if "host" not in headers:  # HTTP/1.0, and Django's test client
            headers["host"] = django_request._get_raw_host()  # type: ignore[attr-defined]
        peer = django_request.META.get("REMOTE_ADDR", "")
        scheme = django_request.META.get("wsgi.url_scheme", "http")
        self._begin(method, scheme, peer, headers)
        try:
            # Not `.body`: a host project's DATA_UPLOAD_MAX_MEMORY_SIZE is about its forms.
            body = django_request.read(options().BODY_LIMIT + 1)
        except UnreadablePostError:
            raise BodyTimeout from None
        if len(body) > options().BODY_LIMIT:
            raise BodyTooLarge(options().BODY_LIMIT)
        request = Request(
            method=method,
            path=django_request.path,
            query=django_request.META.get("QUERY_STRING", ""),
            headers=headers,
            peer=peer,
            scheme=scheme,
            body=bodies.decompress(body, headers),
            received_at=datetime.now(UTC),
            params=params,
        )
        outcome = self._outcome_django(request)
        if isinstance(outcome, Write):
            return outcome.answer(intake.submit_and_wait(outcome.kind, outcome.row, outcome.size, outcome.rows))
        if isinstance(outcome, Call):
            return outcome.reply(intake.call_and_wait(outcome.service, **outcome.arguments))
        return outcome if isinstance(outcome, Reply) else outcome.answer_now()

    def _outcome_in_thread(self, request: Request) -> Outcome:
        close_old_connections()
        with computing:
            return self._outcome_django(request)

    def _outcome_django(self, request: Request) -> Outcome:
        if self.is_open:
            return self._handle(request, None)
        token = _token_of(request)
        identity = keyring.find(token)
        if identity is not None:
            try:
                return self._handle(request, identity)
            except Unauthorized:
                pass
        return self._handle(request, keyring.look_up(token, request.client))

    def as_view(self) -> Callable[..., HttpResponse]:
        """The view for a URLconf: no CSRF check (no cookie is looked at) and no transaction around it, which would
        hold the lock that its own write waits for."""
        view = csrf_exempt(self.view)
        view.counts_all_but = ()  # type: ignore[attr-defined]
        return transaction.non_atomic_requests(view)


def _token_of(request: Request) -> str:
    token = request.bearer()
    if not token:
        raise Unauthorized("Send the device's key as Authorization: Bearer <key>.")
    return token


def _look_up(token: str, client: str) -> Identity:
    close_old_connections()
    return keyring.look_up(token, client)


@lru_cache(maxsize=1)
def _lookup_threads() -> ThreadPoolExecutor:
    """A few threads, each with a connection of its own, for look-ups that memory could not answer."""
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="key-lookup")


@lru_cache(maxsize=1)
def _limit_threads() -> ThreadPoolExecutor:
    """Who waits for the server that counts for several, waits here."""
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="limits")


@lru_cache(maxsize=1)
def _large_bodies() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="large-bodies")


LARGE_BODY: Final = 16 * 1024
"""Bytes; what is larger is read in a thread of its own, one after the other: everybody's small ones go on meanwhile."""
LOOKUP_THREADS: Final = 4


def _unless_noted(identity: Identity, done: "Future[Any]") -> None:
    if done.exception() is not None:
        identity.use_noted_at = None  # the next request notes it
