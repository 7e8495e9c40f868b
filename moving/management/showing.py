"""How far a command is, in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress


@contextmanager
def shown(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for the length of the block; what it gives is told how many of how many are done (None: nobody knows)."""
    with Progress(transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
