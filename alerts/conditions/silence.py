"""Devices that are not heard: found by `Watch.alert_after`, each looked at when it could be silent for too long.

Of a device that was heard meanwhile the time is pushed on; that is all that is ever written of it. Where all that was
there at an outlet fell silent within a minute, it is the outlet that is silent: its router, or its power. Where nobody
at all is heard, it is the server that hears nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Max, Min, Q, QuerySet

from alerts.conditions.found import Facts, Found, Moment, Watched, clock, counted
from alerts.conditions.models import Watch
from alerts.conditions.rules import Rules
from device_gateway.states import newest_heard
from ozone.intake.sql import read_moment
from ozone.intake.written import Among, written
from ozone.wire.conf import options
from ozone.wire.times import iso, people_zone
from ozone.wire.words import duration
from telemetry.figures.rhythm import usual_silence
from telemetry.machines.spares import is_spare
from telemetry.opening import read_opening_hours
from telemetry.presence import AHEAD

SILENT: Final = "silent"
OUTLET_SILENT: Final = "outlet_silent"
NOTHING_HEARD: Final = "nothing_heard"

LEARNT: Final = "learnt"
DEFAULT: Final = "default"

SAME_MINUTE: Final = timedelta(seconds=60)
AT_ONCE: Final = 500
"""Devices of one look."""
USUALS: Final = 2
"""Usual silences, after which one is unusual."""
LEARNT_FOR: Final = timedelta(days=1)
LEAST: Final = timedelta(minutes=5)
"""No threshold is shorter: a device that starts anew needs a minute or two."""
NEVER_OPEN: Final = timedelta(days=1)
"""An outlet that is closed for weeks is looked at again after it."""
SPARE: Final = timedelta(minutes=15)
"""After which a board that no machine holds is looked at again."""
OF_ALL: Final = 10
"""Devices, at two outlets at least: with fewer it is not called all."""
NAMED: Final = 10
"""Machines of an outlet that are told by name."""
_SOON: Final = timedelta(seconds=60)


class Threshold(NamedTuple):
    """After what silence somebody is told; None: never. `source`: device, outlet, all, learnt or default."""

    after: timedelta | None
    source: str


class Group(NamedTuple):
    """What is told in place of the silence of each of its members."""

    whole: Found
    members: list[Found]


class Looked(NamedTuple):
    """What a look at some devices found. `pushes`: when to look at each again; None: it is known to be silent, or
    nobody waits for it."""

    silent: list[Found]
    groups: list[Group]
    pushes: dict[int, datetime | None]
    learnt: dict[int, int | None]


def is_waited_for(device: str = "") -> Q:
    """The condition that somebody waits for a row's device: one that is assigned, and no spare board. `device` leads to
    it, as `device__`."""
    return Q(**{f"{device}assigned": True, f"{device}archived_at": None}) & ~is_spare(device)


def due(now: datetime) -> list[Watched]:
    """AT_ONCE at most."""
    return _watched(_due(now))


def watched_after(device: int) -> list[Watched]:
    """All, in the order of their numbers, AT_ONCE at a time."""
    return _watched(_after(device))


@written
def _due(now: datetime) -> "QuerySet[Any, Any]":
    return _rows(Watch.objects.filter(alert_after__lte=now).order_by("alert_after")[:AT_ONCE])


@written
def _after(device: int) -> "QuerySet[Any, Any]":
    return _rows(Watch.objects.filter(device__gt=device).order_by("device_id")[:AT_ONCE])


@written
def _one(device: int) -> "QuerySet[Any, Any]":
    return _rows(Watch.objects.filter(device=device))


@written
def _at_outlets(outlets: Collection[int]) -> "QuerySet[Any, Any]":
    there = Watch.objects.filter(Among("device__machine__outlet", outlets), alert_after__isnull=False)
    return _rows(there.order_by("device_id"))


def _rows(watches: "QuerySet[Watch]") -> "QuerySet[Any, Any]":
    machine = "device__machine__"
    return watches.annotate(spare=ExpressionWrapper(is_spare("device__"), BooleanField())).values_list(
        "device_id", "device__device_id", "device__name", "device__assigned", "device__archived_at", "spare",
        "device__state__last_poll", "device__state__last_seen", "usual_seconds", "learnt_at",
        f"{machine}id", f"{machine}name", f"{machine}outlet_id", f"{machine}outlet__name",
        f"{machine}outlet__opening_hours",
    )  # fmt: skip


def _watched(rows: Iterable[tuple[Any, ...]]) -> list[Watched]:
    found = []
    for number, device_id, name, assigned, archived, is_put_away, polled, seen, usual, learnt, *place in rows:
        is_there = bool(assigned) and archived is None
        what = (is_there and not is_put_away, is_there and bool(is_put_away))
        heard = (read_moment(polled), read_moment(seen))
        found.append(Watched(number, device_id or "", name, *what, *heard, usual, read_moment(learnt), *place))
    return found


class Thresholds:
    """Those of some devices."""

    def __init__(self, watched: Collection[Watched]) -> None:
        outlets = {one.outlet for one in watched if one.outlet}
        self._rules = Rules(SILENT, [one.device for one in watched], outlets)

    @property
    def default(self) -> Threshold:
        return Threshold(max(timedelta(seconds=options().STATUS_IDLE_SECONDS), LEAST), DEFAULT)

    def of(self, one: Watched) -> Threshold:
        found, source = self._rules.nearest(one.device, one.outlet)
        if found and not found[0].is_on:
            return Threshold(None, source)
        if found and found[0].seconds is not None:
            return Threshold(max(timedelta(seconds=found[0].seconds), LEAST), source)
        learnt = Threshold(USUALS * one.usual, LEARNT)
        return max(learnt, self.default, key=lambda threshold: threshold.after or timedelta(0))


def threshold_of(device: int, now: datetime) -> tuple[Threshold, timedelta | None]:
    """What holds of it now, and its longest silence on a usual day, where it has one: learnt at this moment."""
    one = next(iter(_watched(_one(device))), None)
    thresholds = Thresholds([one] if one else [])
    if one is None:
        return thresholds.default, None
    if not _is_of_readings(one):
        return thresholds.of(one._replace(usual_seconds=None)), None
    usual = usual_silence(device, now)
    return thresholds.of(one._replace(usual_seconds=None if usual is None else int(usual.total_seconds()))), usual


def look(watched: Sequence[Watched], moment: Moment) -> Looked:
    """Which of them are silent for too long, and when the others could be."""
    thresholds = Thresholds(watched)
    learnt: dict[int, int | None] = {}
    pushes: dict[int, datetime | None] = {}
    silent: list[Watched] = []
    for one in watched:
        after = thresholds.of(one).after
        if one.is_spare:  # nobody says when a machine holds it again
            pushes[one.device] = moment.now + SPARE
            continue
        if not one.is_waited_for or after is None:
            pushes[one.device] = None
            continue
        at = _silent_at(one, after, moment)
        if at <= moment.now and _is_to_learn(one, thresholds, moment.now):
            usual = usual_silence(one.device, moment.now)
            learnt[one.device] = None if usual is None else int(usual.total_seconds())
            one = one._replace(usual_seconds=learnt[one.device])
            at = _silent_at(one, thresholds.of(one).after or after, moment)
        if at <= moment.now:
            silent.append(one)
        else:
            pushes[one.device] = at
    if not silent:
        return Looked([], [], pushes, learnt)
    if group := _all_at_once(silent, moment):
        return Looked([], [group], pushes | {one.device: moment.now + _SOON for one in silent}, learnt)
    groups, rest = _by_outlet(silent, moment, thresholds)
    pushes |= {one.device: None for one in silent}
    pushes |= {member.device_id: None for group in groups for member in group.members if member.device_id}
    return Looked([_found(one, thresholds.of(one)) for one in rest], groups, pushes, learnt)


def _silent_at(one: Watched, after: timedelta, moment: Moment) -> datetime:
    """When it will be silent for too long, if it is not heard before; within its outlet's opening hours."""
    heard = one.heard
    if heard is None:  # nobody knows yet how it speaks
        return moment.now + after
    start = moment.counting_from if heard > moment.now + AHEAD else max(heard, moment.counting_from)
    hours = read_opening_hours(one.hours or "")
    return hours.reaches(start, after, people_zone()) or moment.now + NEVER_OPEN


def _is_to_learn(one: Watched, thresholds: Thresholds, now: datetime) -> bool:
    """Of one that polls nothing is to be learnt: the firmware does so every 30 s. A meter has a rhythm of its own."""
    if thresholds.of(one).source not in (LEARNT, DEFAULT):
        return False
    if not _is_of_readings(one):
        return False
    return one.learnt_at is None or not timedelta(0) <= now - one.learnt_at < LEARNT_FOR


def _is_of_readings(one: Watched) -> bool:
    """Whether it is heard by what it sends, not by its polls."""
    return one.last_poll is None or (one.last_seen is not None and one.last_poll < one.last_seen - LEARNT_FOR)


def _found(one: Watched, threshold: Threshold) -> Found:
    heard = one.last
    facts = {
        "last_heard": iso(heard),
        "polled": one.last_poll is not None and one.last_poll >= heard,
        "after_seconds": int((threshold.after or timedelta()).total_seconds()),
        "threshold": threshold.source,
        "usual_seconds": one.usual_seconds,
    }
    return one.found(SILENT, heard, facts)


def _all_at_once(silent: Sequence[Watched], moment: Moment) -> Group | None:
    """Whether nobody at all was heard since these fell silent."""
    # By a clock that was set back since they may be yet to come, and then say nothing of who was heard after them.
    last = max(one.last if one.last <= moment.now + AHEAD else moment.counting_from for one in silent)
    newest = newest_heard(moment.now + AHEAD)
    if newest is None or newest > last + SAME_MINUTE:
        return None
    among = Watch.objects.filter(is_waited_for("device__"), alert_after__isnull=False).order_by()
    devices = among.count()
    places = among.aggregate(first=Min("device__machine__outlet"), last=Max("device__machine__outlet"))
    if devices < OF_ALL or places["first"] is None or places["first"] == places["last"]:
        return None
    facts = {"last_heard": iso(newest), "devices": devices}
    return Group(Found(NOTHING_HEARD, "system", "this server", newest, facts), [])


def _by_outlet(silent: Sequence[Watched], moment: Moment, thresholds: Thresholds) -> tuple[list[Group], list[Watched]]:
    """Outlets of which all that was there fell silent within a minute, and the devices that did so by themselves."""
    outlets = {one.outlet for one in silent if one.outlet is not None}
    there: dict[int, list[Watched]] = {}
    for one in _watched(_at_outlets(outlets)):
        if one.is_waited_for and one.outlet is not None and one.heard is not None:
            there.setdefault(one.outlet, []).append(one)
    groups = [
        _group(members, thresholds)
        for _, members in sorted(there.items())
        if len(members) > 1 and _fell_silent_together(members, moment)
    ]
    held = {member.device_id for group in groups for member in group.members}
    return groups, [one for one in silent if one.device not in held]


def _fell_silent_together(members: Sequence[Watched], moment: Moment) -> bool:
    """One that speaks less often was heard last within its usual time before the others."""
    last = max(one.last for one in members)
    is_long_ago = last <= moment.now - LEAST + SAME_MINUTE or last > moment.now + AHEAD  # by another clock
    return is_long_ago and all(last - one.last <= max(SAME_MINUTE, one.usual) for one in members)


def _group(members: Sequence[Watched], thresholds: Thresholds) -> Group:
    last = max(members, key=lambda one: one.last)
    names = sorted(one.machine_name or one.device_id for one in members)
    facts = {"last_heard": iso(last.last), "machines": len(members), "names": names[:NAMED]}
    whole = Found(
        OUTLET_SILENT, f"outlet:{last.outlet}", last.outlet_name or "", last.last, facts, outlet_id=last.outlet
    )
    return Group(whole, [_found(one, thresholds.of(one)) for one in members])


def says_silent(facts: Facts, since: datetime) -> str:
    usual = facts.get("usual_seconds")
    told = f" On a usual day it is silent for {duration(usual)} at most." if usual else ""
    way = "polled" if facts.get("polled") else "sent anything"
    return f"It has last {way} at {clock(since)}.{told}"


def says_outlet_silent(facts: Facts, since: datetime) -> str:
    names = ", ".join(facts.get("names", ()))
    return f"All {counted(facts, 'machines')} machines fell silent within a minute, at {clock(since)}: {names}."


def says_nothing_heard(facts: Facts, since: datetime) -> str:
    return f"None of {counted(facts, 'devices')} devices, at several outlets, has been heard since {clock(since)}."
