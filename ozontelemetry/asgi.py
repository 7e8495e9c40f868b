"""The front door: device routes go straight to their handlers, everything else to Django.

ESP32 ── Door ─┬─ a device route (a literal table): a bare ASGI endpoint, no Django request machinery
               └─ everything else: Django's WSGI handler in a few long-lived threads (ozontelemetry.bridge)
"""

import asyncio
import gc
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django

from ozontelemetry.server import end_at_once, end_if_it_stands_still, hear_ends, hold_ends, keep_files_private

# All that is loaded stays: to look again and again what of it could go is a sixth of a start.
gc.disable()
IS_WORKER = multiprocessing.parent_process() is not None
if IS_WORKER:
    # A worker that is told to end before it has loaded this application would serve on until it is killed.
    end_at_once()
    hear_ends()

keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
django.setup(set_prefix=False)

from django.core.wsgi import get_wsgi_application  # noqa: E402

import device_gateway.routes  # noqa: E402
import telemetry.device_side.routes  # noqa: E402
from alerts.runner.leading import runner  # noqa: E402
from device_gateway.gate import DeviceRoute  # noqa: E402
from device_gateway.upkeep.following import upkeep  # noqa: E402
from ledger.following import follower  # noqa: E402
from ozone.intake import write_path  # noqa: E402
from ozone.wire.work import PASS_ON_SECONDS  # noqa: E402
from ozontelemetry import checks, health  # noqa: E402
from ozontelemetry.bridge import DjangoBridge  # noqa: E402
from ozontelemetry.openapi.shapes import is_api, one_slash  # noqa: E402
from ozontelemetry.static import StaticFiles  # noqa: E402
from stations.partner import addresses  # noqa: E402
from telemetry.commands.waiting import room  # noqa: E402

LOOP_RUNS_AFTER = 20
"""Turns of the event loop from the application's start, in its first run, until its second one has surely begun.

Turns, because on a machine that stalls any time may pass within the first run, which ends a few turns after the start.
"""
TURN_SECONDS = 0.01

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def _end_with_the_main_process() -> None:
    """In a thread: a worker whose main process has been ended by a signal of any kind ends, too, and in order."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


class Door:
    """Looks a path up, with or without its trailing slash: literal ones in a dictionary, others by pattern."""

    def __init__(self, routes: list[tuple[str, DeviceRoute]], otherwise: App) -> None:
        self._literal = {f"/{path}": route for path, route in routes if "(" not in path}
        self._patterns = [(re.compile(f"/{path}"), route) for path, route in routes if "(" in path]
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        route = self._find(scope)
        # On a path that people share Django answers the other methods, a browser's preflight among them.
        if route is None or (route.is_shared and scope["method"] not in route.handlers):
            await self._otherwise(scope, receive, send)
        else:
            await route(scope, receive, send)

    def _find(self, scope: Scope) -> DeviceRoute | None:
        path = scope["path"].removesuffix("/")
        route = self._literal.get(path)
        if route is None:
            if "//" in path and is_api(single := one_slash(path)):
                scope["path"] = single
                return self._find(scope)
            for pattern, candidate in self._patterns:
                if found := pattern.fullmatch(path):
                    scope["path_params"] = found.groupdict()
                    return candidate
        return route


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()  # lifespan.startup
    room.close_at_sigterm()
    follower.start()
    runner.start()
    upkeep.start()
    await send({"type": "lifespan.startup.complete"})
    # The server ends one run of the event loop here and begins another. A signal between them would be lost.
    for _ in range(LOOP_RUNS_AFTER):
        await asyncio.sleep(TURN_SECONDS)
    hear_ends()
    if IS_WORKER:
        end_if_it_stands_still()
    await receive()  # lifespan.shutdown
    runner.stop()
    follower.stop()
    upkeep.stop()
    write_path.stop()
    await send({"type": "lifespan.shutdown.complete"})


if IS_WORKER:
    # Until its event loop runs: before the first thread begins, because any thread may be given a signal.
    hold_ends()
# The sentence of what is missing, before the first request instead of at it.
checks.sound_or_exit(quiet=True)
addresses.watch_host_names()
application = Door(
    [*device_gateway.routes.ROUTES, *telemetry.device_side.routes.ROUTES, *health.ROUTES],
    StaticFiles(DjangoBridge(get_wsgi_application())),
)
if IS_WORKER:
    threading.Thread(target=_end_with_the_main_process, name="main-process", daemon=True).start()
    sys.setswitchinterval(PASS_ON_SECONDS)
    # What is loaded now stays: the collector need not walk through all of Django while a reply waits.
    gc.collect()
    gc.freeze()
    # Nor does it walk through what a large request holds, again and again while that grows: every thread stands still.
    gc.set_threshold(5_000, 5, 5)
gc.enable()
