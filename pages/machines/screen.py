"""Machines as the pages show them: a table takes a constant number of queries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Case, F, Q, QuerySet, Value, When

from device_gateway.states import last_heard, later_of
from pages.kit.listing import Listing, Sort, Stage, up
from telemetry.figures.rollups import starts
from telemetry.figures.totals import Totals, total_in_query, totals_by_machine
from telemetry.models import Machine
from telemetry.presence import Presence, presence, presence_is, presence_order
from telemetry.treatments import COUNTERS


class MachineRow(NamedTuple):
    """`status` is "" where there is no device; the counters are the device's own, `today` counts every treatment."""

    pk: int
    name: str
    is_active: bool
    outlet_id: int | None
    outlet: str | None
    device_id: str | None
    device: str
    status: str
    heard: datetime | None
    basic: int
    standard: int
    premium: int
    today: int
    shows_outlet: bool
    may_write: bool


_MACHINE: Final = ("pk", "name", "is_active", "outlet_id", "outlet__name", "device__device_id", "device__name")
_HEARD: Final = ("device__state__last_poll", "device__state__last_seen")
_COUNTERS: Final = tuple(f"device__status__current_count_{name}" for name in COUNTERS)

SORTS: Final = {
    "name": Sort("Machine", *up("name")),
    "outlet": Sort("Outlet", *up("outlet__name", "name")),
    "device": Sort("Device", *up("device__device_id")),
    "status": Sort("Status", "presence", *up("name")),
    "heard": Sort("Last heard", F("heard").desc(nulls_last=True)),
    "today": Sort("Today", F("today").desc(), *up("name")),
    **{
        name: Sort(name.capitalize(), F(column).desc(nulls_last=True), *up("name"))
        for name, column in zip(COUNTERS, _COUNTERS, strict=True)
    },
}
"""For machines that are `ordered`."""


def machine_rows(
    actor: Any, machines: "QuerySet[Machine]", now: datetime, *, shows_outlet: bool = True
) -> Iterator[tuple[int, MachineRow]]:
    """By key, in two queries."""
    found = list(machines.values_list(*_MACHINE, *_HEARD, *_COUNTERS))
    today = totals_by_machine(actor, [row[0] for row in found], since=today_from(now))
    for pk, *facts, device_id, device, last_poll, last_seen, basic, standard, premium in found:
        status = presence(last_poll, last_seen, now) if device_id else ""
        counters = (basic or 0, standard or 0, premium or 0)
        number = today.get(pk, Totals()).total
        shown = (device_id, device or "", status, later_of(last_poll, last_seen), *counters, number)
        yield pk, MachineRow._make((pk, *facts, *shown, shows_outlet, actor.is_staff))


def at_outlet(machines: "QuerySet[Machine]", chosen: Mapping[str, str]) -> "QuerySet[Machine]":
    """Those at the outlet that a filter has chosen, `0` for none; all where it has chosen nothing."""
    outlet = chosen.get("outlet")
    return machines.filter(outlet=int(outlet) or None) if outlet else machines


def ordered(actor: Any, machines: "QuerySet[Machine]", now: datetime) -> "QuerySet[Machine]":
    """Annotated with what they are put in order by."""
    return machines.annotate(
        heard=last_heard("device__"),
        presence=Case(When(device=None, then=Value(3)), default=presence_order(now, "device__")),
        today=total_in_query(actor, "machine", since=today_from(now)),
    )


def stages(listing: Listing[Machine], now: datetime, _: int) -> Sequence[Stage]:
    """In which parts the first of very many machines are found: in the order of their names, or among few."""
    word = listing.sort.removeprefix("-")
    by_name = SORTS["name"].fields
    has_none = Q(device=None)
    if word == "status":
        found = [*(Stage(~has_none & presence_is(one, now, "device__"), by_name) for one in Presence)]
        found.append(Stage(has_none, by_name))
    elif word in COUNTERS:
        count = f"device__status__current_count_{word}"
        found = [
            Stage(Q(**{f"{count}__gt": 0}), SORTS[word].fields),
            Stage(Q(**{f"{count}__lte": 0}), by_name),
            Stage(Q(**{count: None}), by_name),
        ]
    else:
        found = [Stage(Q(), SORTS[word].fields)]
    return found[::-1] if listing.sort.startswith("-") else found


def today_from(now: datetime) -> datetime:
    """When the day began in the time zone of the statistics."""
    return starts(now)[1]
