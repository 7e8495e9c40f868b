"""Figure (b): our server with everything but the write: body, identity, limits, parsing and reply, and no submit.

An ASGI module for granian, in place of `ozontelemetry.asgi`. Deliberately no switch of the product: that must have no
way of answering 2xx without having stored.
"""

import asyncio
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
django.setup()  # the write path has models

from ozone import intake  # noqa: E402
from ozone.intake import CALL  # noqa: E402

if os.environ.get("DJANGO_DEBUG") != "1":
    raise RuntimeError("bench.nosubmit acknowledges readings and throws them away: never where it could be production")

_submit = intake.submit


def _submit_nothing(kind: str, row: Any, size: int = 0, rows: int = 1) -> "asyncio.Future[Any]":
    """In place of `intake.submit`: a future that has already ended. Services (readyz, claim) still run.

    A request with events hears that nothing was refused and no command waits.
    """
    if kind == CALL:
        return _submit(kind, row, size, rows)
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(Stored([], 0) if kind == EVENTS else None)
    return future


intake.submit = _submit_nothing

from ozontelemetry.asgi import application  # noqa: E402 - imported when its `intake.submit` is the one above
from telemetry.device_side.storing import EVENTS, Stored  # noqa: E402 - models, which wait for the setup

__all__ = ["application"]
