"""What an exception remembers of the frames it went through."""

import traceback


def clear_frames(error: BaseException) -> None:
    """Empties the frames of an exception, and of those behind it, that have ended; what it says is kept.

    A database's exception stands in a circle with the frames it went through, and those hold cursors. Left to the
    garbage collector, the cursors would be closed by whichever thread it happens to run in: the event loop would
    stand still while their connection waits for a lock, for SQLite keeps a connection's mutex all that time.
    """
    seen: set[int] = set()
    behind: list[BaseException | None] = [error]
    while behind:
        one = behind.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
        behind += [one.__cause__, one.__context__]
