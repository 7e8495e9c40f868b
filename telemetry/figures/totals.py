"""How many treatments machines and outlets have given, added up from the counts that are kept by day.

`since` and `until` are starts of local days, as `rollups.starts` tells them; the second is not among them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, Final, NamedTuple

from django.db.models import BigIntegerField, F, Func, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

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
    actor: Any, outlets: Iterable[int] | None, *, since: datetime | None = None, until: datetime | None = None
) -> dict[int, Totals]:
    """As above, by the outlet's number; None: of all. Without `since` it looks through everything that was ever
    counted."""
    return _grouped("outlet_id", outlets, _counts(actor, since, until))


def total_in_query(actor: Any, place: str, names: Iterable[str] = COUNTERS, *, since: datetime) -> Coalesce:
    """Of each row of a query of machines or outlets (`place`: "machine", "outlet"), so that they can be put in order by
    it: the sum of these counts."""
    bound = MachineDevice.objects.filter(**{place: OuterRef(OuterRef("pk"))}).values("device")
    own = _counts(actor, since, None).filter(**{f"{place}_id": OuterRef("pk")}, device_id__in=bound).order_by()
    summed = own.values(f"{place}_id").annotate(number=Sum(reduce(add, map(F, names))))
    return Coalesce(Subquery(summed.values("number")), 0)


class Remembered(Func):
    """In a query, the number that `numbers` has for the row's key, else 0: for what took long to add up."""

    output_field = BigIntegerField()

    def __init__(self, numbers: Mapping[int, int]) -> None:
        super().__init__(Value(json.dumps(numbers)), F("pk"))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = """COALESCE(json_extract(%(expressions)s || '"'), 0)"""
        return self.as_sql(compiler, connection, template=template, arg_joiner=""", '$."' || """)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "COALESCE((%(expressions)s::text)::bigint, 0)"
        return self.as_sql(compiler, connection, template=template, arg_joiner="::jsonb ->> ")


def _counts(actor: Any, since: datetime | None, until: datetime | None) -> "QuerySet[DailyCount]":
    bounds = {"starts_at__gte": since, "starts_at__lt": until}
    counts = DailyCount.objects.filter(**{name: value for name, value in bounds.items() if value is not None})
    return counts if actor.is_staff else counts.filter(device_id__in=visible_devices(actor, archived=True).values("pk"))


def _grouped(name: str, numbers: Iterable[int] | None, counts: "QuerySet[DailyCount]") -> dict[int, Totals]:
    wanted = counts if numbers is None else counts.filter(**{f"{name}__in": list(numbers)})
    found = wanted.order_by().values(name)
    return {row[0]: Totals(*row[1:]) for row in found.values_list(name, *_SUMS)}
