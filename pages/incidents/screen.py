"""Incidents as the pages show them: a table takes a constant number of queries."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from alerts.conditions.found import clock
from alerts.conditions.table import CONDITIONS
from alerts.incidents.models import Incident
from alerts.incidents.queries import visible_incidents
from ozone.wire.times import parse_iso
from ozone.wire.words import duration
from pages.kit.filters import Chosen, Filters, search
from pages.kit.listing import Badge, Sort
from telemetry.models import DeviceStatus

_NAMED: Final = 3
"""Incidents that the dashboard names."""
_FACTS: Final = 30
"""Facts of an incident that are shown."""
_LONGEST: Final = 200
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


OPEN: Final = Badge("failed", "open")
SEEN: Final = Badge("waiting", "acknowledged")
HELD: Final = Badge("pending", "not told")
CALM: Final = Badge("sent", "seems over")
OVER: Final = Badge("applied", "ended")


class IncidentRow(NamedTuple):
    pk: int
    label: str
    subject: str
    state: Badge
    sentence: str
    cause: str
    since: datetime
    ended: datetime | None
    by: str
    times: int


class Fact(NamedTuple):
    name: str
    value: str


class IncidentFilters(Filters):
    q = search("Machine, outlet, device")
    state = Chosen([("ended", "Ended"), ("all", "All")], usual=("", "Open"))
    kind = Chosen([(condition.kind, condition.label) for condition in CONDITIONS.values()], label="What")


SORTS: Final = {
    "since": Sort("Since", "-since"),
    "what": Sort("What", "kind", "-since"),
    "subject": Sort("Of", "subject", "-since"),
    "ended": Sort("Ended", "-ended_at"),
}


def open_now(actor: Any) -> dict[str, Any]:
    """For the dashboard: how many are open that were told and nobody has in hand, and the latest of them."""
    told = visible_incidents(actor).filter(ended_at=None, told_at__isnull=False)
    waiting = told.filter(acknowledged_at=None)
    latest = [(one.pk, one.title) for one in waiting.order_by("-since", "-id").distinct()[:_NAMED]]
    number = waiting.distinct().count() if len(latest) == _NAMED else len(latest)
    return {"latest": latest, "number": number, "more": number - len(latest)}


def narrowed(found: "QuerySet[Incident]", words: str, chosen: Mapping[str, str]) -> "QuerySet[Incident]":
    """By the words of the search and what the filters choose."""
    for word in words.split()[:8]:
        found = found.filter(subject__icontains=word)
    if kind := chosen.get("kind"):
        found = found.filter(kind=kind)
    match chosen.get("state", ""):
        case "":
            return found.filter(ended_at=None)
        case "ended":
            return found.filter(ended_at__isnull=False)
        case _:
            return found


def incident_rows(found: Iterable[Incident]) -> Iterator[tuple[int, IncidentRow]]:
    """By key. `found` with `acknowledged_by`."""
    for one in found:
        condition = CONDITIONS.get(one.kind)
        yield (
            one.pk,
            IncidentRow(
                one.pk,
                condition.label if condition else one.kind,
                one.subject,
                state_of(one),
                one.sentence,
                one.cause,
                one.since,
                one.ended_at,
                one.acknowledged_by.get_username() if one.acknowledged_by else "",
                one.times,
            ),
        )


def state_of(incident: Incident) -> Badge:
    """In one word, the first that holds."""
    if incident.ended_at is not None:
        return OVER
    if incident.told_at is None:
        return HELD
    if incident.calm_since is not None:
        return CALM
    return OPEN if incident.acknowledged_at is None else SEEN


def facts_of(incident: Incident) -> list[Fact]:
    """What was seen, as far as it is plain."""
    shown = (_fact(name, value) for name, value in incident.facts.items() if not isinstance(value, dict))
    return [fact for fact in shown if fact.value][:_FACTS]


def _fact(name: str, value: Any) -> Fact:
    words = name.removesuffix("_seconds")
    said = duration(int(value)) if words != name and isinstance(value, int | float) else _words(value)
    return Fact(words.replace("_", " ").capitalize(), said)


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))[:_LONGEST]
        case str() if _MOMENT.fullmatch(value):
            moment = parse_iso(value)
            return clock(moment) if moment else value
        case _:
            return str(value)[:_LONGEST]


def last_words(incident: Incident) -> DeviceStatus | None:
    """What its device told last of itself."""
    if incident.device_id is None:
        return None
    told = Q(rssi__isnull=False) | Q(free_heap__isnull=False) | Q(queue_length__isnull=False) | ~Q(reset_reason="")
    return DeviceStatus.objects.filter(told, device=incident.device_id, vitals_at__isnull=False).first()
