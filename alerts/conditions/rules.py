"""Which threshold holds where."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from alerts.conditions.models import Rule
from ozone.intake.written import Among, written

DEVICE: Final = "device"
OUTLET: Final = "outlet"
ALL: Final = "all"


class Bounds(NamedTuple):
    """What a rule sets, as its columns of these names."""

    is_on: bool
    field: str
    seconds: int | None
    number: int | None
    low: float | None
    high: float | None


@written
def _near(kind: str, devices: Collection[int], outlets: Collection[int]) -> "QuerySet[Any, Any]":
    near = Q(Among("device", devices)) | Q(Among("outlet", outlets)) | Q(device=None, outlet=None)
    return Rule.objects.filter(near, kind=kind).order_by("id").values_list("device_id", "outlet_id", *Bounds._fields)


class Rules:
    """Those of a condition, for some devices and outlets."""

    def __init__(self, kind: str, devices: Collection[int] = (), outlets: Collection[int] = ()) -> None:
        self._set: dict[tuple[int | None, int | None], list[Bounds]] = {}
        for device, outlet, is_on, *bounds in _near(kind, devices, outlets):
            self._set.setdefault((device, outlet), []).append(Bounds(bool(is_on), *bounds))

    def nearest(self, device: int | None = None, outlet: int | None = None) -> tuple[list[Bounds], str]:
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
