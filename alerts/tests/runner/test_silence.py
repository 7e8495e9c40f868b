"""Silent devices, silent outlets, and a server that did not listen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.conditions.models import Beat, Rule, Watch
from alerts.incidents import flips
from alerts.incidents.models import Incident
from alerts.rules.services import drop_rule, set_rule
from alerts.runner import arming
from alerts.runner.passing import Passing
from alerts.tests.fleet import HOUR, IDLE, MINUTE, NOON, SECOND, Fleet
from device_gateway.models import Device

Make = Callable[..., Fleet]


def test_it_works(fleet: Make) -> None:
    some = fleet(3, 2)
    some.go_on(IDLE)
    last = some.truth
    some.go_on(IDLE - MINUTE, without=some.devices[:1])
    assert some.told == []
    some.go_on(2 * MINUTE, without=some.devices[:1])
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0")]
    (incident,) = Incident.objects.all()
    assert (incident.since, incident.opened_at) == (last, last + IDLE)
    assert (incident.device_id, incident.outlet_id) == (some.devices[0].pk, some.outlets[0].pk)
    assert incident.facts == {
        "last_heard": "2026-03-02T12:10:00Z",
        "polled": True,
        "after_seconds": 600,
        "threshold": "default",
        "usual_seconds": None,
    }
    some.go_on(IDLE, without=some.devices[:1])
    some.go_on(2 * MINUTE)
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0"), ("ended", "Silent: m0-0 at Outlet 0")]
    incident.refresh_from_db()
    assert incident.ended_at == last + 2 * IDLE + 2 * MINUTE
    some.go_on(3 * IDLE)
    assert len(some.announced()) == 2


@pytest.mark.alike
@pytest.mark.parametrize("seconds", [120, 300])
def test_nothing_shorter_than_five_minutes_is_told(fleet: Make, settings: Any, seconds: int) -> None:
    """However soon devices are called offline; of one outlet all at once, and of another one machine."""
    some = fleet(4, 8)
    settings.STATUS_IDLE_SECONDS = seconds
    dead = some.devices[:5]
    some.go_on(MINUTE)
    some.go_on(4 * MINUTE, without=dead)
    assert some.told == []
    some.go_on(2 * MINUTE, without=dead)
    assert sorted(some.announced()) == [("opened", "Outlet silent: Outlet 0"), ("opened", "Silent: m1-0 at Outlet 1")]
    some.go_on(MINUTE)
    assert sorted(kind for kind, _ in some.announced()) == ["ended", "ended", "opened", "opened"]


def test_an_outlet_is_one_alert(fleet: Make) -> None:
    """Of a router that dies; one of its machines stays away when it is back."""
    some = fleet(4, 3)
    some.go_on(MINUTE)
    some.go_on(IDLE + 2 * MINUTE, without=some.devices[:4])
    assert some.announced() == [("opened", "Outlet silent: Outlet 0")]
    whole = Incident.objects.get(kind="outlet_silent")
    assert whole.facts["names"] == ["m0-0", "m0-1", "m0-2", "m0-3"]
    assert Incident.objects.filter(held_by=whole, told_at=None).count() == 4
    some.go_on(8 * MINUTE, without=some.devices[:1])
    assert some.announced()[1:] == [("ended", "Outlet silent: Outlet 0"), ("opened", "Silent: m0-0 at Outlet 0")]
    some.go_on(2 * MINUTE)
    assert some.announced()[3:] == [("ended", "Silent: m0-0 at Outlet 0")]
    assert not Incident.objects.filter(ended_at=None).exists()


@pytest.mark.alike
def test_an_outage_of_the_server_is_no_silence(fleet: Make) -> None:
    some = fleet(3, 2)
    some.go_on(IDLE)
    some.truth += 2 * IDLE
    some.look()
    some.go_on(IDLE - 2 * MINUTE, without=some.devices[:1])
    assert some.told == []
    some.go_on(3 * MINUTE, without=some.devices[:1])
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0")]


def test_a_clock_that_is_set_is_no_silence(fleet: Make) -> None:
    some = fleet(3, 2)
    some.go_on(IDLE)
    for off in (timedelta(hours=3), timedelta(0), timedelta(hours=-3), timedelta(0)):
        some.off = off
        some.go_on(2 * IDLE)
    assert some.told == []
    some.off = timedelta(hours=-3)
    some.go_on(IDLE + 2 * MINUTE, without=some.devices[:1])
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0")]
    some.go_on(2 * MINUTE)
    assert some.announced()[1:] == [("ended", "Silent: m0-0 at Outlet 0")]


def test_a_clock_that_is_set_back_hides_nothing(fleet: Make) -> None:
    """An outlet and a machine fell silent just before: by the new clock they were heard in three hours."""
    some = fleet(6, 6, 2)
    some.go_on(MINUTE)
    dead = some.devices[:7]
    some.go_on(5 * MINUTE, without=dead)
    some.off = timedelta(hours=-3)
    some.go_on(IDLE + 3 * MINUTE, without=dead)
    assert sorted(some.announced()) == [
        ("opened", "Outlet silent: Outlet 0"),
        ("opened", "Silent: m1-0 at Outlet 1"),
    ]


def test_nobody_waits_for_a_device_that_is_not_assigned(fleet: Make) -> None:
    some = fleet(3, 2)
    some.go_on(MINUTE)
    gone = some.devices[:2]
    gone[0].assigned, gone[1].archived_at = False, some.now
    for device in gone:
        device.save()
    some.go_on(3 * IDLE, without=gone)
    assert some.told == []
    assert set(Watch.objects.filter(device__in=gone).values_list("alert_after", flat=True)) == {None}
    gone[0].assigned = True
    gone[0].save()
    some.go_on(2 * IDLE, without=gone)
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0")]


def test_when_the_server_hears_nobody_it_says_so_once(fleet: Make) -> None:
    some = fleet(6, 5)
    some.go_on(MINUTE)
    some.go_on(2 * IDLE, without=some.devices)
    assert some.announced() == [("opened", "Nothing is heard: this server")]
    some.go_on(IDLE - MINUTE, without=some.devices[:1])
    assert some.announced()[1:] == [("ended", "Nothing is heard: this server")]
    some.go_on(2 * MINUTE, without=some.devices[:1])
    assert some.announced()[2:] == [("opened", "Silent: m0-0 at Outlet 0")]


@pytest.mark.alike
def test_a_threshold_of_a_device_an_outlet_or_all(fleet: Make) -> None:
    some = fleet(2, 2)
    Rule.objects.create(kind="silent", seconds=1200)
    Rule.objects.create(kind="silent", outlet=some.outlets[1], seconds=300)
    Rule.objects.create(kind="silent", device=some.devices[3], is_on=False)
    some.go_on(MINUTE)
    dead = [some.devices[0], some.devices[2], some.devices[3]]
    some.go_on(6 * MINUTE, without=dead)
    assert some.announced() == [("opened", "Silent: m1-0 at Outlet 1")]
    some.go_on(2 * IDLE, without=dead)
    assert some.announced()[1:] == [("opened", "Silent: m0-0 at Outlet 0")]


def test_a_threshold_of_all_is_gone_by_within_a_minute(fleet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each device would be looked at in two hours, by the one before. Whoever sets it waits for none of them, and a
    runner that ends halfway leaves the rest to the next one."""
    monkeypatch.setattr(arming, "AT_ONCE", 2)
    some = fleet(2, 2)
    bounds = {"number": None, "low": None, "high": None}
    all_of_them: Any = {"kind": "silent", "device": None, "outlet": None, "field": "", "is_on": True, **bounds}
    Rule.objects.create(kind="silent", seconds=7200)
    some.go_on(MINUTE)
    some.go_on(IDLE, without=some.devices[::3])
    with CaptureQueriesContext(connection) as asked:
        rule = set_rule(**all_of_them, seconds=300, now=some.now)
    assert not any("alerts_watch" in query["sql"] for query in asked)
    some.truth += 20 * SECOND
    assert some.runner(some.now, (some.truth - NOON).total_seconds())  # there is more
    some.runner = Passing(pace=0)
    some.go_on(MINUTE, without=some.devices[::3])
    assert sorted(some.announced()) == [("opened", "Silent: m0-0 at Outlet 0"), ("opened", "Silent: m1-1 at Outlet 1")]
    some.go_on(MINUTE, without=some.devices[::3])
    assert Beat.objects.get().rules_changed_at is None  # nobody goes through all of them again
    drop_rule(rule=rule, now=some.now)
    some.go_on(MINUTE)
    waiting = Watch.objects.exclude(alert_after=None).values_list("alert_after", flat=True)
    assert set(waiting) == {some.now + IDLE}  # by the default


@pytest.mark.alike
def test_an_outlet_that_is_closed_is_not_waited_for(fleet: Make) -> None:
    some = fleet(1, 2)
    outlet = some.outlets[0]
    outlet.opening_hours = "12:00-12:05,12:30-13:00"
    outlet.save()
    some.go_on(MINUTE)
    some.go_on(34 * MINUTE, without=some.devices[:1])
    assert some.told == []  # 4 minutes, and 5
    some.go_on(2 * MINUTE, without=some.devices[:1])
    assert some.announced() == [("opened", "Silent: m0-0 at Outlet 0")]
    assert Incident.objects.get().opened_at.strftime("%H:%M") == "12:36"


def test_one_that_flaps_is_told_twice_at_most(fleet: Make) -> None:
    some = fleet(3, 2)
    some.go_on(MINUTE)
    for _ in range(4):
        some.go_on(12 * MINUTE, without=some.devices[:1])
        some.go_on(3 * MINUTE)
    name = "Silent: m0-0 at Outlet 0"
    assert [kind for kind, _ in some.announced()] == ["opened", "ended", "opened"]
    some.go_on(65 * MINUTE)
    assert some.announced()[-1] == ("ended", name)
    assert Incident.objects.get().times == 4


def test_a_clock_set_back_while_it_seems_over(fleet: Make) -> None:
    """Nobody can tell for how long it has seemed so: it is over, and the next time is told."""
    some = fleet(3, 2)
    some.go_on(MINUTE)
    for _ in range(2):
        some.go_on(12 * MINUTE, without=some.devices[:1])
        some.go_on(3 * MINUTE)
    assert [kind for kind, _ in some.announced()] == ["opened", "ended", "opened"]
    some.off -= 3 * HOUR
    some.go_on(2 * MINUTE)
    assert [kind for kind, _ in some.announced()][3:] == ["ended"]
    some.go_on(13 * MINUTE, without=some.devices[:1])
    assert [kind for kind, _ in some.announced()][4:] == ["opened"]


@pytest.mark.parametrize("ahead", [8 * MINUTE, MINUTE / 2])
def test_a_clock_set_back_after_an_end(fleet: Make, monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """By the clock as it is now it has hardly ended, or is about to, and yet the next one is another."""
    monkeypatch.setattr(flips, "HOLD", 12 * MINUTE)
    some = fleet(3, 2)
    some.off = 8 * MINUTE
    some.go_on(2 * MINUTE)
    some.go_on(12 * MINUTE, without=some.devices[:1])
    some.go_on(MINUTE)
    some.go_on(8 * MINUTE - ahead, step=8 * MINUTE - ahead)
    some.off -= 9 * MINUTE
    some.go_on(3 * MINUTE)
    some.go_on(12 * MINUTE, without=some.devices[:1])
    some.go_on(2 * MINUTE)
    assert [kind for kind, _ in some.announced()] == ["opened", "ended"] * 2
    assert [one.times for one in Incident.objects.all()] == [1, 1]


def test_a_device_that_was_never_heard_is_not_silent(fleet: Make) -> None:
    some = fleet(2, 2)
    new = Device.objects.create(device_id="new", name="New", assigned=True)
    some.go_on(5 * IDLE)
    assert some.told == []
    some.hear([new])
    some.go_on(2 * IDLE + 2 * MINUTE)
    assert some.announced() == [("opened", "Silent: New")]
