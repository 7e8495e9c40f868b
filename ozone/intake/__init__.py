"""The durable write path (docs/dataflows.md): submit a row, hear when it is committed."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ozone.intake.lane import Locks
from ozone.intake.submission import CALL
from ozone.intake.watcher import Watcher
from ozone.intake.writer import Writer

if TYPE_CHECKING:
    import asyncio

__all__ = ["Locks", "Watcher", "Writer", "call", "call_and_wait", "post", "submit", "submit_and_wait", "write_path"]

write_path = Writer()
"""The process's own writer. Rows of the main database go through it."""
os.register_at_fork(after_in_child=write_path.reset_after_fork)

post = write_path.post
submit = write_path.submit
submit_and_wait = write_path.submit_and_wait


def call(service: Callable[..., Any], **arguments: Any) -> "asyncio.Future[Any]":
    """Runs a cold write in the writer's transaction, so that it never queues for SQLite's lock.

    The future has the service's result once it is committed, or its ApiError.
    """
    return submit(CALL, (service, arguments))


def call_and_wait(service: Callable[..., Any], **arguments: Any) -> Any:
    """The same from a thread."""
    return submit_and_wait(CALL, (service, arguments))
