"""How fast a move may go beside a serving system: a short step, and then twice as long a pause as the step has taken.

On SQLite one process writes at a time, and who waits asks again after 1, 2, 5, 10 … ms: long steps close together would
shut the devices' writer out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_PAUSE = 0.25


@contextmanager
def paced() -> Iterator[None]:
    began = time.monotonic()
    yield
    time.sleep(min(2 * (time.monotonic() - began), LONGEST_PAUSE))
