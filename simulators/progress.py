"""What a person sees while a fleet runs: one live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

LIVE_SECONDS = 0.5
PLAIN_SECONDS = 5.0

Row = dict[str, str]  # heading → value, in the order to show


@asynccontextmanager
async def progress(console: Console, row: Callable[[], Row]) -> AsyncIterator[None]:
    """Shows `row()` again and again until the block ends, and once more then."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            async with _repeated(LIVE_SECONDS, lambda: live.update(_table(row()), refresh=True)):
                yield
    else:
        async with _repeated(PLAIN_SECONDS, lambda: console.print(_line(row()), soft_wrap=True, highlight=False)):
            yield


@asynccontextmanager
async def _repeated(seconds: float, show: Callable[[], None]) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            show()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        show()


def _table(row: Row) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in row:
        table.add_column(heading, no_wrap=True)
    table.add_row(*row.values())
    return table


def _line(row: Row) -> str:
    return "  ".join(f"{heading} {value}" for heading, value in row.items())
