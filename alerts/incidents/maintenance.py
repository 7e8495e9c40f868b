"""Which maintenance is in force."""

from datetime import datetime
from typing import Any

from django.db.models import Q

from alerts.incidents.models import Maintenance


class Windows:
    """Those of one moment."""

    def __init__(self, now: datetime) -> None:
        candidates = Maintenance.objects.filter(Q(end=None) | Q(end__gt=now))
        self._held = [window for window in candidates if window.holds_at(now)]

    def cover(self, subject: Any) -> bool:
        """Of an incident or a finding: whether nobody is to be told of it now. Nothing keeps the server's own quiet."""
        if subject.subject_key == "system":
            return False
        return any(window.covers(subject) for window in self._held)
