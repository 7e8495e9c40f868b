"""What becomes of incidents, for whoever tells people."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

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


def announce(happenings: Sequence[Happening]) -> None:
    """Call inside a transaction."""
    if happenings:
        for tell in announcing:
            tell(happenings)
