"""Our server whose alerts rest after SIGUSR1 and go on after SIGUSR2: what they cost is then measured in one process,
in turns. An ASGI module for granian, in place of `ozontelemetry.asgi`.
"""

import signal
import threading
from typing import Any

from ozontelemetry import asgi

application = asgi.application


def _rest(*_: Any) -> None:
    threading.Thread(target=asgi.runner.stop).start()  # it waits for the step under way


def _go_on(*_: Any) -> None:
    asgi.runner.start()


signal.signal(signal.SIGUSR1, _rest)
signal.signal(signal.SIGUSR2, _go_on)

__all__ = ["application"]
