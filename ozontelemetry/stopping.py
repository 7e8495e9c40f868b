"""Whether this process has been told to stop: from then on every reply closes its connection.

granian closes the connections that it holds when it is told to stop, but misses one that it accepts in that very
moment, as a client's that another worker has just hung up on. A device that sends without a pause would then keep
this worker busy until it is killed, and the last of its requests with it.
"""

import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

Send = Callable[[Any], Awaitable[None]]


class Stopping:
    """Set by SIGTERM or SIGINT, beside whatever the server does on them; never taken back."""

    def __init__(self) -> None:
        self.requested = False

    def watch(self) -> None:
        """Call it once the server has installed its own handlers. Does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            # An event loop hears of signals through a file descriptor, which this leaves alone, and has given Python
            # an empty handler; any other kind of handler is called as before.
            before = signal.getsignal(number)
            signal.signal(number, self._handler(before))
            signal.siginterrupt(number, False)

    def _handler(self, before: Any) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            self.requested = True
            if callable(before):
                before(number, frame)

        return handle


stopping: Final = Stopping()


def closing(send: Send) -> Send:
    """`send`, with `Connection: close` on the reply that goes through it."""

    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return send_and_close
