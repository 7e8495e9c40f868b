"""Which devices are waited for: the registry says which of them have changed, and all are gone through now and then."""

from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from alerts.conditions.arming import arm, arm_next
from alerts.conditions.models import Beat
from device_gateway.versions import EVERYONE, RegistryChange
from ozone.intake.written import written

AT_ONCE: Final = 5_000
"""Devices that one statement goes through."""
CHANGES: Final = 1_000
AGAIN_AFTER: Final = 3600.0
"""Seconds after which all are gone through in any case."""
AT_LEAST: Final = 60.0
"""Seconds between two that changes ask for."""


@written
def _changes_after(number: int) -> "QuerySet[Any, Any]":
    return RegistryChange.objects.filter(id__gt=number).order_by("id").values_list("id", "device_id")[:CHANGES]


class Arming:
    """What one process knows of it."""

    def __init__(self) -> None:
        self._change: int | None = None
        self._place: int | None = 0
        """How far it has gone through all; None: it does not."""
        self._is_anew = False
        self._is_wanted = False
        self._rules: datetime | None = None
        """The change of rules that it goes through all for."""
        self._began = float("-inf")

    def go_through_all(self) -> None:
        """At the next steps, also those that have their time: it was of another clock, or by another threshold."""
        self._place, self._is_anew = 0, True

    def heed_rules(self, changed: datetime | None) -> None:
        """As go_through_all where a threshold of all was set that it does not go by yet."""
        if changed is not None and changed != self._rules:
            self._rules = changed
            self.go_through_all()

    def step(self, now: datetime, monotonic: float) -> bool:
        """Some of it; whether there is more at once."""
        self._hear(now)
        since = monotonic - self._began
        if self._place is None and since >= (AT_LEAST if self._is_wanted else AGAIN_AFTER):
            self._place = 0
        if self._place is None:
            return False
        if self._place == 0:
            self._began, self._is_wanted = monotonic, False
        self._place = arm_next(self._place, AT_ONCE, now, anew=self._is_anew)
        if self._place is None:
            self._is_anew = False
            if self._rules is not None:  # unless another was set meanwhile
                Beat.objects.filter(rules_changed_at=self._rules).update(rules_changed_at=None)
                self._rules = None
        return self._place is not None

    def _hear(self, now: datetime) -> None:
        if self._change is None:
            self._change = RegistryChange.objects.order_by("id").values_list("id", flat=True).last() or 0
            return
        if found := _changes_after(self._change):
            self._change = found[-1][0]
            self._is_wanted = self._is_wanted or any(device in (None, EVERYONE) for _, device in found)
            arm({device for _, device in found if device}, now)
