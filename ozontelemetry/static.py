"""Static files by the event loop: who asks for one and does not read it occupies nobody."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware

from ozone.wire import metrics
from ozone.wire.errors import ApiError
from ozone.wire.heads import fold_headers
from ozone.wire.http import NOSNIFF, Reply, check_host, public_host, public_scheme
from ozontelemetry.sending import PIECE, SlowReader, sender

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_ALWAYS: Final = {**NOSNIFF, "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"}
_READ: Final = {
    "if-none-match": "HTTP_IF_NONE_MATCH",
    "if-modified-since": "HTTP_IF_MODIFIED_SINCE",
    "range": "HTTP_RANGE",
    "accept-encoding": "HTTP_ACCEPT_ENCODING",
}
_LONGEST: Final = 512


class StaticFiles:
    """The files of the installed packages, as WhiteNoise knows them; whatever is none goes on to `otherwise`."""

    def __init__(self, otherwise: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._otherwise = otherwise
        self._known = WhiteNoiseMiddleware(lambda request: None)
        self._prefix: str = self._known.static_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope["path"]) if scope["path"].startswith(self._prefix) else None
        if found is None:
            await self._otherwise(scope, receive, send)
            return
        try:
            headers = fold_headers(scope["headers"], len(scope["path"]) + len(scope.get("query_string", b"")))
            peer = (scope.get("client") or ("",))[0]
            check_host(headers.get("host", ""))
            check_host(public_host(peer, headers))
        except ApiError as error:
            metrics.count_request("static", scope["method"], error.status, error.code)
            reply = Reply.of_error(error)
            await sender.send_whole(send, _head(reply.status, reply.raw_headers()), reply.body)
            return
        asked = {named: headers[name][:_LONGEST] for name, named in _READ.items() if name in headers}

        response = found.get_response(scope["method"], asked)
        metrics.count_request("static", scope["method"], int(response.status))
        named = [*response.headers, *_ALWAYS.items()]
        if settings.SECURE_HSTS_SECONDS and public_scheme(scope.get("scheme", "http"), peer, headers) == "https":
            named.append(("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}"))
        raw = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in named]
        try:
            await _send(send, _head(int(response.status), raw), response.file)
        except SlowReader:
            pass
        finally:
            if response.file is not None:
                response.file.close()

    def _find(self, path: str) -> Any:
        if "\0" in path or "/.." in path or len(path) > _LONGEST:
            return None
        return self._known.find_file(path) if self._known.autorefresh else self._known.files.get(path)


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _send(send: Send, head: dict[str, Any], file: Any) -> None:
    await send(head)
    while file is not None and (piece := file.read(PIECE)):
        await sender.take(send, {"type": "http.response.body", "body": piece, "more_body": True})
    await sender.take(send, {"type": "http.response.body", "body": b""})
