"""A fleet with known truth: nothing missed, nothing invented, each told once at its beginning and once at its end.

By day some hours of sixty machines; with LONG_TESTS=1 a month of 10,000, of which `-s` shows how far it is: on SQLite,
for PostgreSQL keeps each version of a row until the transaction ends that changed it, and a test is one transaction.
"""

import time
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Final, NamedTuple

import pytest
from django.db import connection

from alerts.conditions.selling import SELLS_NOTHING
from alerts.incidents.happening import ENDED, ESCALATED, OPENED
from alerts.incidents.models import Incident
from alerts.tests.fleet import DAY, HOUR, IDLE, MINUTE, Fleet
from ozone.intake.sql import moment, within
from tests.support.length import IS_LONG

Make = Callable[..., Fleet]
IS_A_MONTH: Final = IS_LONG and connection.vendor == "sqlite"
OUTLETS, MACHINES, SPAN = (2_000, 5, 30 * DAY) if IS_A_MONTH else (12, 5, 10 * HOUR)
APART: Final = 90 * MINUTE
"""Between two outages at an outlet: sooner it would be the same incident."""
LATE: Final = MINUTE


class Outage(NamedTuple):
    """Of a machine, or of an outlet where `machine` is None. It was last heard at `start`, and is heard at `end`."""

    outlet: int
    machine: int | None
    start: datetime
    end: datetime

    @property
    def title(self) -> str:
        if self.machine is None:
            return f"Outlet silent: Outlet {self.outlet}"
        return f"Silent: m{self.outlet}-{self.machine} at Outlet {self.outlet}"

    def opened(self, resets: list[datetime], down: tuple[datetime, datetime]) -> datetime | None:
        """When it is to be told; `resets`: from when on silence counts anew; `down`: when nobody could tell."""
        counts_from = self.start
        for reset in [
            *(reset for reset in resets if reset > self.start),
            datetime.max.replace(tzinfo=self.start.tzinfo),
        ]:
            at = counts_from + IDLE
            if at < min(reset, self.end) and not down[0] < at < down[1]:
                return at
            counts_from = reset
        return None


def outages(chance: Random, start: datetime, down: tuple[datetime, datetime]) -> list[Outage]:
    """Short ones that nobody is to hear of, and long ones; now of a machine, now of all of an outlet."""
    made = []
    for outlet in range(OUTLETS):
        at = start + chance.randrange(5, 120) * MINUTE
        while at < start + SPAN - 3 * HOUR:
            machine = chance.choice([None, *range(MACHINES)])
            minutes = chance.choice([2, 4, 8, 12, 15, 40, 100])
            made.append(Outage(outlet, machine, at, at + minutes * MINUTE))
            spread = 48 * 60 if IS_A_MONTH else 60
            at += minutes * MINUTE
            if down[0] < at < down[1]:  # that it was back is known when there is somebody to hear it
                at = down[1]
            at += APART + chance.randrange(spread) * MINUTE
    return made


@pytest.mark.thorough
@pytest.mark.alike
def test_nothing_is_missed_and_nothing_invented(fleet: Make) -> None:
    some = fleet(*[MACHINES] * OUTLETS)
    start = some.truth
    down = start + SPAN / 2, start + SPAN / 2 + 2 * HOUR
    truth = outages(Random(16), start, down)
    clocks = [(start + SPAN * part, off * HOUR) for part, off in ((0.2, 3), (0.3, 0), (0.75, -3), (0.85, 0))]
    clocks = [(at.replace(second=0, microsecond=0), off) for at, off in clocks]
    resets = sorted([down[1], *(at for at, _ in clocks)])
    by_place = {
        (place, at): some.devices[place * MACHINES + at].pk for place in range(OUTLETS) for at in range(MACHINES)
    }
    starts = sorted(truth, key=lambda one: one.start)
    dead: dict[Outage, list[int]] = {}
    while some.truth < start + SPAN:
        if IS_A_MONTH and (some.truth - start) % DAY < MINUTE:
            print(f"day {(some.truth - start).days}: {time.process_time():.0f} s of a processor", flush=True)
        some.truth += MINUTE
        if down[0] < some.truth < down[1]:
            continue
        for at, off in clocks:
            if at <= some.truth:
                some.off = off
        while starts and starts[0].start < some.truth:
            one = starts.pop(0)
            places = range(MACHINES) if one.machine is None else [one.machine]
            dead[one] = [by_place[one.outlet, place] for place in places]
        for one in [one for one in dead if one.end <= some.truth]:
            del dead[one]
        hear_all_but([number for numbers in dead.values() for number in numbers], some.now)
        some.look()
    expected = [(one.title, one.opened(resets, down), one.end) for one in truth]
    wanted = sorted((title, opened, end) for title, opened, end in expected if opened is not None)
    # These machines never press: each is told once to sell nothing, and that lasts, through silences and resets, too.
    machines = [f"Sells nothing: m{place}-{at} at Outlet {place}" for place, at in by_place]
    selling = [(title, kind) for kind, title, _ in some.told if title.startswith("Sells") and kind != ESCALATED]
    assert sorted(selling) == sorted((title, OPENED) for title in machines if SPAN > 2 * DAY)
    found = [(title, at) for kind, title, at in some.told if kind == OPENED and not title.startswith("Sells")]
    ended = [(title, at) for kind, title, at in some.told if kind == ENDED]
    assert len(wanted) > OUTLETS
    assert sorted(title for title, _ in found) == [title for title, _, _ in wanted]
    assert sorted(title for title, _ in ended) == [title for title, _, _ in wanted]
    for (title, at), (_, opened, _) in zip(sorted(found), wanted, strict=True):
        assert opened <= at <= opened + LATE, (title, at, opened)
    ends = sorted((title, end if not down[0] < end < down[1] else down[1]) for title, _, end in wanted)
    for (title, at), (_, end) in zip(sorted(ended), ends, strict=True):
        assert end <= at <= end + LATE, (title, at, end)
    assert not Incident.objects.filter(ended_at=None).exclude(kind=SELLS_NOTHING).exists()


def hear_all_but(devices: list[int], now: datetime) -> None:
    among, given = within(connection, devices)
    among = f"NOT {among}" if among.startswith("IN") else f"<> ALL{among.removeprefix('= ANY')}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE device_gateway_devicestate SET last_poll = %s WHERE device_id {among if devices else '> 0'}",
            [moment(connection, now), *(given if devices else [])],
        )
