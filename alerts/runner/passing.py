"""One pass of whoever looks: first whether it can trust what it sees, then what is due.

Time is given: a simulated month is a month of passes. What a pass does is found by index, so that one over nothing due
costs three small queries.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from alerts.conditions import silence
from alerts.conditions.arming import arm
from alerts.conditions.found import Moment
from alerts.conditions.models import Beat, Watch
from alerts.incidents.cause import explained
from alerts.incidents.flips import end_incidents, escalate, forget_the_future, has_stayed_away, open_incidents, release
from alerts.incidents.happening import portions
from alerts.incidents.maintenance import Windows
from alerts.incidents.models import Incident
from alerts.runner.arming import Arming
from alerts.runner.standing import Standing
from device_gateway.states import last_heard, newest_heard
from ozone.intake.sql import BulkInsert, moment, read_moment
from ozone.intake.written import written
from telemetry.presence import AHEAD

logger = logging.getLogger("alerts")

BEAT: Final = 10.0
"""Seconds between two beats."""
GAP: Final = timedelta(seconds=90)
"""Without a beat for so long nobody has listened."""
JUMP: Final = 60.0
"""Seconds by which the server's clock and the monotonic one may part between two passes."""
PACE: Final = 0.25
KEEP: Final = 5.0
"""Seconds between two looks at what is open."""

_push: Final = BulkInsert(
    Watch, ("device_id", "alert_after"), "ON CONFLICT (device_id) DO UPDATE SET alert_after = excluded.alert_after"
)


class Passing:
    """What one process remembers from pass to pass. `pace`: seconds between two looks at conditions that are looked up,
    so that a large fleet's round takes minutes and next to nothing; 0: all at once."""

    def __init__(self, pace: float = PACE) -> None:
        self._arming = Arming()
        self._standing = Standing(pace)
        self._before: tuple[datetime, float] | None = None
        self._beat_at = float("-inf")
        self._kept_at = float("-inf")
        self._counting_from = datetime.max.replace(tzinfo=UTC)

    def __call__(self, now: datetime, monotonic: float) -> bool:
        """Some of what is due; whether there is more at once. `now` is the server's time, `monotonic` in seconds."""
        self._beat(now, monotonic)
        is_more = self._arming.step(now, monotonic)
        if monotonic - self._kept_at >= KEEP:
            self._kept_at = monotonic
            self._keep(now)
        is_more = self._look(now) or is_more
        return self._standing.step(Moment(now, self._counting_from), monotonic) or is_more

    def _beat(self, now: datetime, monotonic: float) -> None:
        """Notices that nobody listened, or that somebody set the clock."""
        jumped = 0.0
        if self._before is not None:
            jumped = (now - self._before[0]).total_seconds() - (monotonic - self._before[1])
        self._before = now, monotonic
        has_jumped = abs(jumped) > JUMP
        if monotonic - self._beat_at < BEAT and not has_jumped:
            return
        self._beat_at = monotonic
        beat = Beat.objects.filter(pk=1).first()
        was_deaf = beat is None or not -AHEAD <= now - beat.at <= GAP
        counting_from = now if beat is None or was_deaf or has_jumped else min(beat.counting_from, now)
        if beat is None:
            Beat.objects.bulk_create([Beat(at=now, counting_from=now)], ignore_conflicts=True)
        else:
            Beat.objects.filter(pk=1).update(at=now, counting_from=counting_from)
        if counting_from == now and beat is not None:
            logger.warning("alerts: nobody listened, or the clock was set: silence counts from now")
            if has_jumped or now < beat.at:
                forget_the_future(now)
                self._arming.go_through_all()
        self._arming.heed_rules(beat.rules_changed_at if beat else None)
        self._counting_from = counting_from

    def _look(self, now: datetime) -> bool:
        """At devices that could be silent for too long."""
        watched = silence.due(now)
        if not watched or _nothing_heard():
            return False
        looked = silence.look(watched, Moment(now, self._counting_from))
        if looked.silent or looked.groups:
            # Before anything is pushed on: who ends here leaves devices that the next one finds again.
            self._open(looked, now)
        with transaction.atomic():
            rows = [(device, moment(connection, at)) for device, at in sorted(looked.pushes.items())]
            _push.run(connection, rows)
            for device, usual in sorted(looked.learnt.items()):
                Watch.objects.filter(device=device).update(usual_seconds=usual, learnt_at=now)
        return len(watched) == silence.AT_ONCE

    def _open(self, looked: silence.Looked, now: datetime) -> None:
        windows, at = Windows(now), Moment(now, self._counting_from)
        for whole, members in looked.groups:
            number = open_incidents(explained([whole]), at, windows)[whole.subject_key]
            open_incidents(members, at, windows, held_by=number)
        outlets = {one.outlet_id for one in looked.silent if one.outlet_id}
        held = _open(silence.OUTLET_SILENT).filter(outlet__in=outlets, calm_since=None)
        above: dict[int | None, int | None] = dict(held.values_list("outlet_id", "id"))
        for over in {None, *above.values()}:
            some = [one for one in looked.silent if above.get(one.outlet_id) == over]
            open_incidents(explained(some), at, windows, held_by=over)

    def _keep(self, now: datetime) -> None:
        """What is open: whether it is over, whether somebody is to be told now."""
        if not _anything():
            return
        for some in portions(_heard_again(now)):
            with transaction.atomic():  # nobody would look at a device whose incident has ended and that has no time
                end_incidents([number for number, _ in some], now)
                arm([device for _, device in some if device], now)
        end_incidents([number for (number,) in _came_back(now)], now)
        self._hear_again(now)
        release(now)
        escalate(now)

    def _hear_again(self, now: datetime) -> None:
        """Once somebody is heard, where nobody was, silence counts from then."""
        for number, since in _nothing_heard():
            if newest_heard(now + AHEAD) != read_moment(since) and end_incidents([number], now):
                self._counting_from = now
                Beat.objects.filter(pk=1).update(counting_from=now)


def _open(kind: str) -> "QuerySet[Incident]":
    return Incident.objects.filter(kind=kind, ended_at=None)


@written
def _anything() -> "QuerySet[Any, Any]":
    return Incident.objects.filter(ended_at=None).order_by().values_list("id")[:1]


@written
def _nothing_heard() -> "QuerySet[Any, Any]":
    return _open(silence.NOTHING_HEARD).order_by().values_list("id", "since")


@written
def _heard_again(now: datetime) -> "QuerySet[Any, Any]":
    """Silent devices that were heard, or that nobody waits for any more."""
    silent = _open(silence.SILENT).annotate(heard=last_heard("device__"))
    nobody_waits = Q(device=None) | ~silence.is_waited_for("device__")
    over = silent.filter(_lasts(now)).filter(nobody_waits | Q(heard=None) | ~Q(heard=F("since")))
    return over.order_by("id").values_list("id", "device_id")[: silence.AT_ONCE]


@written
def _came_back(now: datetime) -> "QuerySet[Any, Any]":
    """Outlets of which a machine was heard."""
    a_member = Q(members__ended_at__isnull=False) | Q(members__calm_since__isnull=False)
    return _open(silence.OUTLET_SILENT).filter(_lasts(now)).filter(a_member).order_by().distinct().values_list("id")


def _lasts(now: datetime) -> Q:
    return Q(calm_since=None) | has_stayed_away(now)
