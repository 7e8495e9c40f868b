"""What becomes of incidents, for whoever tells people."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from alerts.incidents.models import Incident

OPENED: Final = "incident.opened"
ENDED: Final = "incident.ended"
ESCALATED: Final = "incident.escalated"
ACKNOWLEDGED: Final = "incident.acknowledged"
REMINDED: Final = "incident.reminded"
"""It was put off until now, and is still open."""


class Happening(NamedTuple):
    type: str
    at: datetime
    incident: Incident


announcing: Final[list[Callable[[Sequence[Happening]], None]]] = []
"""Called in the transaction that did it: what they write is there if it has happened, and else not. Of incidents that
are held back nothing is announced."""

bounding: Final[list[Callable[[], int]]] = []
"""Of whoever announces: how many happenings are to be announced in one transaction at most, as things stand."""
MOST: Final = 500
T = TypeVar("T")


def portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of them, so many at a time as one transaction may announce: others write between two."""
    most = max(1, min([MOST, *(bound() for bound in bounding)])) if len(rows) > 1 else 1
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def announce(happenings: Sequence[Happening]) -> None:
    """Call inside a transaction."""
    if happenings:
        for tell in announcing:
            tell(happenings)
