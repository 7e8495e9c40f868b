"""How fast a move may go beside a serving system: a short step, and then twice as long a pause as the step has taken.

On SQLite one process writes at a time, and who waits asks again after 1, 2, 5, 10 … ms: long steps close together would
shut the devices' writer out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import transaction

from moving.sources import Row, Source, walk

LONGEST_PAUSE = 0.25
WRITTEN_AT_ONCE: Final = 100
"""Rows of one transaction: on SQLite nobody else writes meanwhile."""


@contextmanager
def paced() -> Iterator[None]:
    began = time.monotonic()
    yield
    time.sleep(min(2 * (time.monotonic() - began), LONGEST_PAUSE))


def each_row(source: Source, table: str, move: Callable[[Row], None]) -> None:
    """Calls `move` with every row of the table, WRITTEN_AT_ONCE rows in one transaction."""
    for rows in walk(source, table, WRITTEN_AT_ONCE):
        with paced(), transaction.atomic():
            for row in rows:
                move(row)
