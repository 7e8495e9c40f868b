"""The product, with an address at which its event loop stands still for ever; noticed after a second, not a minute."""

import threading
from typing import Any

from ozontelemetry import server

server.STILL_SECONDS, server.PUT_OFF_SECONDS = 1.0, 0.2  # type: ignore[misc]

from ozontelemetry.asgi import application as door  # noqa: E402


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope.get("path") == "/stand-still":
        threading.Event().wait()
    await door(scope, receive, send)
