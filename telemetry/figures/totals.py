"""How many treatments machines and outlets have given, added up from the counts that are kept by day.

`since` and `until` are starts of local days, as `rollups.starts` tells them; the second is not among them.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet, Sum

from device_gateway.registry.queries import visible_devices
from telemetry.models import DailyCount, Machine, MachineDevice, Outlet
from telemetry.treatments import COUNTERS


class Totals(NamedTuple):
    basic: int = 0
    standard: int = 0
    premium: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    def and_also(self, more: "Totals") -> "Totals":
        return Totals(*(one + other for one, other in zip(self, more, strict=True)))


_SUMS: Final = [Sum(name) for name in COUNTERS]


def totals(actor: Any, place: Machine | Outlet, *, since: datetime | None = None) -> Totals:
    """The counts of one machine or outlet, by the actor's devices.

    Only devices that were bound there have counts there, and by their numbers an index finds the few rows there are.
    """
    name = "machine" if isinstance(place, Machine) else "outlet"
    bound = MachineDevice.objects.filter(**{name: place}).values("device")
    found = _counts(actor, since, None).filter(**{f"{name}_id": place.pk}, device_id__in=bound)
    return Totals(*(number or 0 for number in found.aggregate(*_SUMS).values()))


def totals_by_machine(actor: Any, machines: Iterable[int], *, since: datetime | None = None) -> dict[int, Totals]:
    """By the machine's number, in one query; those that have none are left out."""
    return _grouped("machine_id", machines, _counts(actor, since, None))


def totals_by_outlet(
    actor: Any, outlets: Iterable[int], *, since: datetime | None = None, until: datetime | None = None
) -> dict[int, Totals]:
    """As above, by the outlet's number. Without `since` it looks through everything that was ever counted."""
    return _grouped("outlet_id", outlets, _counts(actor, since, until))


def _counts(actor: Any, since: datetime | None, until: datetime | None) -> "QuerySet[DailyCount]":
    bounds = {"starts_at__gte": since, "starts_at__lt": until}
    counts = DailyCount.objects.filter(**{name: value for name, value in bounds.items() if value is not None})
    return counts if actor.is_staff else counts.filter(device_id__in=visible_devices(actor, archived=True).values("pk"))


def _grouped(name: str, numbers: Iterable[int], counts: "QuerySet[DailyCount]") -> dict[int, Totals]:
    found = counts.filter(**{f"{name}__in": list(numbers)}).order_by().values(name)
    return {row[0]: Totals(*row[1:]) for row in found.values_list(name, *_SUMS)}
