"""One client for both doors of a device route: the front door's ASGI application, and Django's URLconf."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httpx
from django.test import Client


@dataclass(frozen=True)
class Answer:
    """A reply: `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Door(Protocol):
    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        peer: str = "203.0.113.9",
        secure: bool = False,
    ) -> Answer: ...

    def post(self, path: str, value: Any, key: str | None = None, **headers: str) -> Answer: ...


class _Posting:
    """`post`: JSON with an optional bearer; `X_Forwarded_For="…"` adds a header of that name."""

    def post(self: Any, path: str, value: Any, key: str | None = None, **headers: str) -> Answer:
        named = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        if key is not None:
            named["Authorization"] = f"Bearer {key}"
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        answer: Answer = self.send("POST", path, body, named)
        return answer


class AsgiDoor(_Posting):
    """The application that the server runs, on an event loop in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        peer: str = "203.0.113.9",
        secure: bool = False,
    ) -> Answer:
        from ozontelemetry.asgi import application

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(cast(Any, application), client=(peer, 40000))
            scheme = "https" if secure else "http"
            async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://testserver") as client:
                return await client.request(method, path, content=body, headers=dict(headers or {}))

        reply = asyncio.run_coroutine_threadsafe(exchange(), self._loop).result(15)
        return Answer(reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, reply.content)


class DjangoDoor(_Posting):
    """Django's own request handling, as in any project that mounts the URLconf."""

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        peer: str = "203.0.113.9",
        secure: bool = False,
    ) -> Answer:
        named = {"Host": "testserver", **(headers or {})}
        content_type = named.pop("Content-Type", "")
        reply = Client(raise_request_exception=False).generic(
            method, path, body, content_type=content_type, secure=secure, headers=named, REMOTE_ADDR=peer
        )
        content = b"".join(reply)  # a stream, too
        return Answer(reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, content)
