"""Whether somebody has set the server's clock: its time is compared with the monotonic clock, which nobody sets."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Final, NamedTuple

logger = logging.getLogger("ozone.wire")

JUMP_SECONDS: Final = 60.0
"""What NTP slews is far less between two looks."""
SHOWN_SECONDS: Final = 24 * 3600.0


class Jump(NamedTuple):
    """The clock was set by so many seconds, back where they are negative; `at`: the server's time after that."""

    at: datetime
    seconds: float


class ClockWatch:
    """What one process has noticed; whoever looks again and again keeps the watch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset: float | None = None
        self._jump: tuple[float, Jump] | None = None

    def forget(self) -> None:
        """As in a new process."""
        with self._lock:
            self._offset = self._jump = None

    def look(self) -> None:
        """Compares, and logs a jump."""
        now, offset = time.monotonic(), time.time() - time.monotonic()
        with self._lock:
            before, self._offset = self._offset, offset
            if before is None or abs(offset - before) <= JUMP_SECONDS:
                return
            jump = Jump(datetime.now(UTC), offset - before)
            self._jump = now, jump
        logger.warning(
            "clock: the server's time was set %s by %d s, to %s. Limits and deadlines go on; what was stored before "
            "has its times by the old clock. Is NTP running?",
            "ahead" if jump.seconds > 0 else "back",
            abs(round(jump.seconds)),
            jump.at.isoformat(timespec="seconds"),
        )

    def last(self) -> Jump | None:
        """The last jump, for a day."""
        self.look()
        if self._jump is None or time.monotonic() - self._jump[0] > SHOWN_SECONDS:
            return None
        return self._jump[1]


clock_watch = ClockWatch()
