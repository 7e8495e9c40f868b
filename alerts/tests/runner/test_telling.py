"""Who is told when: maintenance, acknowledgements, what was put off."""

from collections.abc import Callable

import pytest

from alerts.incidents import services
from alerts.incidents.models import Incident, Maintenance
from alerts.tests.fleet import MINUTE, Fleet

Make = Callable[..., Fleet]
LEFT = "m0-0 at Outlet 0"


def told(some: Fleet) -> list[tuple[str, str]]:
    """What was announced since the last time."""
    found = some.announced()
    some.told.clear()
    return found


def test_nobody_is_told_during_maintenance(fleet: Make) -> None:
    some = fleet(2, 1)
    Maintenance.objects.create(outlet=some.outlets[0], start=some.now, end=some.now + 30 * MINUTE)
    dead = [some.devices[0], some.devices[2]]
    some.go_on(15 * MINUTE, without=dead)
    assert told(some) == [("opened", "Silent: m1-0 at Outlet 1")]
    assert Incident.objects.filter(told_at=None).count() == 1
    some.go_on(16 * MINUTE, without=dead)
    assert told(some) == [("opened", f"Silent: {LEFT}")]


@pytest.mark.alike
def test_what_nobody_acknowledges_goes_to_the_next(fleet: Make) -> None:
    some = fleet(2, 1)
    some.go_on(15 * MINUTE, without=[some.devices[0], some.devices[2]])
    mine = Incident.objects.get(device=some.devices[0])
    services.acknowledge(incident=mine, note="", actor=None, now=some.now)
    some.go_on(30 * MINUTE, without=[some.devices[0], some.devices[2]])
    kinds = [(kind.removeprefix("incident."), title) for kind, title, _ in some.told]
    assert kinds[-1] == ("escalated", "Silent: m1-0 at Outlet 1")
    assert [kind for kind, _ in kinds].count("escalated") == 1


def test_one_that_was_put_off_comes_again(fleet: Make) -> None:
    some = fleet(2, 1)
    some.go_on(11 * MINUTE, without=some.devices[:1])
    told(some)
    services.snooze(incident=Incident.objects.get(), until=some.now + 45 * MINUTE, now=some.now)
    some.go_on(44 * MINUTE, without=some.devices[:1])
    assert some.told == []
    some.go_on(2 * MINUTE, without=some.devices[:1])
    assert told(some)[0] == ("reminded", f"Silent: {LEFT}")
