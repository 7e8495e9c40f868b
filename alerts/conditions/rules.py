"""Which threshold holds where."""

from collections.abc import Collection
from typing import Final

from django.db.models import Q

from alerts.conditions.models import Rule

DEVICE: Final = "device"
OUTLET: Final = "outlet"
ALL: Final = "all"


class Rules:
    """Those of a condition, for some devices and outlets."""

    def __init__(self, kind: str, devices: Collection[int] = (), outlets: Collection[int] = ()) -> None:
        near = Q(device__in=list(devices)) | Q(outlet__in=list(outlets)) | Q(device=None, outlet=None)
        self._set: dict[tuple[int | None, int | None], list[Rule]] = {}
        for rule in Rule.objects.filter(near, kind=kind).order_by("id"):
            self._set.setdefault((rule.device_id, rule.outlet_id), []).append(rule)

    def nearest(self, device: int | None = None, outlet: int | None = None) -> tuple[list[Rule], str]:
        """The device's, else the outlet's, else those of all, and whose they are; of most conditions one."""
        for source, number, key in ((DEVICE, device, (device, None)), (OUTLET, outlet, (None, outlet))):
            if number is not None and (found := self._set.get(key)):
                return found, source
        return self._set.get((None, None), []), ALL

    def number(self, default: int, device: int | None = None, outlet: int | None = None) -> int | None:
        """How many it takes there; None: it is off."""
        found, _ = self.nearest(device, outlet)
        if not found:
            return default
        if not found[0].is_on:
            return None
        return default if found[0].number is None else found[0].number
