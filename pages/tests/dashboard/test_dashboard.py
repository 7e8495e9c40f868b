"""The dashboard: the fleet as one may see it, today, what waits, and the way to the first event."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import Device, DeviceState, Enrolment, HandshakeAttempt
from ozone.wire.clock import ClockWatch
from pages.dashboard.screen import NAMED, QUIET, TICKER, Overview, overview
from pages.kit.live import TAGS, VERSION
from pages.tests.conftest import SignIn, claim
from telemetry.machines.bindings import register_machine
from telemetry.models import Command, Outlet, QuarantinedEvent
from telemetry.tests.cast import press

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 9, 16, 12, 34, 56, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ONLINE, IDLE = 16 * MINUTE, HOUR
"""How long a device may be silent to be called so."""


def hear(device: Device, ago: timedelta) -> None:
    DeviceState.objects.filter(device=device).update(last_poll=NOW - ago)


def fleet(**counts: Any) -> Overview:
    nothing = {"devices": 0, "assigned": 0, "online": 0, "idle": 0, "offline": 0, "quiet": 0}
    nothing |= {"meters": 0, "meters_online": 0}
    return Overview(**{**nothing, "reading_at": None, "is_reporting": False, "has_token": False, **counts})


def region(html: str, name: str) -> str:
    """The words of the section with that heading, tags taken away."""
    found = re.search(rf'<section[^>]*aria-labelledby="{name}">(.*?)</section>', html, re.DOTALL)
    assert found, name
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def tiles(html: str) -> dict[str, tuple[str, str]]:
    """By label the number, and where it leads."""
    found = re.findall(r"<div><dt>(.*?)</dt><dd><a href=\"([^\"]+)\"[^>]*>([^<]+)</a></dd></div>", html, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]+>", "", label).split()): (number, href) for label, href, number in found}


@pytest.fixture
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def machine(meter: Device) -> Device:
    """The meter, in the machine M1 at Altona since yesterday morning."""
    with time_machine.travel(NOW - 2 * DAY):
        register_machine(device=meter, outlet=Outlet.objects.create(name="Altona"), name="M1")
    return meter


@pytest.mark.usefixtures("at_noon")
def test_it_works(signed_in: SignIn, vera: User, meter: Device, pump: Device) -> None:
    html = signed_in(vera).get("/").content.decode()
    assert tiles(html) == {
        "Device": ("1", "/devices"),
        "online": ("0", "/devices?status=online"),
        "idle": ("0", "/devices?status=idle"),
        "offline": ("1", "/devices?status=offline"),
    }
    assert "Issue a token" in html
    assert "None is yours yet" not in html


def test_counts_are_of_visible_devices(vera: User, sam: User, olga: User, meter: Device, pump: Device) -> None:
    claim(pump, sam)
    assert overview(vera, NOW) == fleet(devices=1, offline=1)
    assert overview(sam, NOW) == fleet(devices=1, assigned=1, offline=1, quiet=1, has_token=True)
    assert overview(olga, NOW) == fleet(devices=2, assigned=1, offline=2, quiet=1, has_token=True)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (ONLINE, {"online": 1}),
        (ONLINE + SECOND, {"idle": 1, "quiet": 1}),
        (IDLE, {"idle": 1, "quiet": 1}),
        (IDLE + SECOND, {"offline": 1, "quiet": 1}),
    ],
)
def test_fleet_by_status(vera: User, meter: Device, ago: timedelta, expected: dict[str, int]) -> None:
    Device.objects.filter(pk=meter.pk).update(assigned=True)
    hear(meter, ago)
    assert overview(vera, NOW) == fleet(devices=1, assigned=1, **expected)


def test_guide_from_nothing(signed_in: SignIn, vera: User, olga: User) -> None:
    assert b"Ask an operator to add one with you, <strong>vera</strong>" in signed_in(vera).get("/").content
    assert b"/device-add" not in signed_in(vera).get("/").content
    html = signed_in(olga).get("/").content.decode()
    assert "/device-add" in html and "Ask an operator" not in html


def test_guide_goes_on_to_assigning(signed_in: SignIn, vera: User, olga: User, meter: Device) -> None:
    assert "/devices?assigned=no" in signed_in(olga).get("/").content.decode()
    assert "?assigned=no" not in signed_in(vera).get("/").content.decode()
    claim(meter, vera)
    steps = re.findall(r'<li class="done">\s*<h3>([^<]+)', signed_in(vera).get("/").content.decode())
    assert [step.strip() for step in steps] == [
        "Add a device, or let one shake hands",
        "Assign it, or issue a token",
        "Let the device in",
    ]


def test_guide_is_gone_with_the_first_reading(signed_in: SignIn, vera: User, meter: Device) -> None:
    claim(meter, vera)
    assert b"From nothing to the first event" in signed_in(vera).get("/").content
    with time_machine.travel(NOW):
        DeviceState.objects.filter(device=meter).update(last_seen=NOW, latest_received_at=NOW)
        html = signed_in(vera).get("/").content.decode()
    assert "From nothing to the first event" not in html
    assert tiles(html)["online"] == ("1", "/devices?status=online")


@pytest.mark.usefixtures("at_noon")
def test_guide_is_gone_with_the_first_event(signed_in: SignIn, vera: User, sam: User, machine: Device) -> None:
    press(machine, NOW - MINUTE)
    assert b"From nothing to the first event" not in signed_in(vera).get("/").content
    assert b"From nothing to the first event" in signed_in(sam).get("/").content


@pytest.mark.usefixtures("at_noon")
def test_today_and_yesterday(signed_in: SignIn, vera: User, sam: User, machine: Device) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0)
    for at, treatment in [
        (midnight - DAY - SECOND, "BASIC"),  # the day before yesterday
        (midnight - DAY, "BASIC"),
        (NOW - DAY, "STANDARD"),
        (NOW - DAY + SECOND, "PREMIUM"),  # still in this minute
        (midnight - SECOND, "PREMIUM"),
        (midnight, "BASIC"),
        (NOW, "PREMIUM"),
        (NOW, "PREMIUM"),
    ]:
        press(machine, at, treatment=treatment)
    words = region(signed_in(vera).get("/").content.decode(), "today")
    assert words == (
        "Today 3 treatments Treatment Today Yesterday until 12:34 All of yesterday"
        " Basic 1 1 1 Standard 0 1 1 Premium 2 0 2 Total 3 2 4"
    )
    words = region(signed_in(sam).get("/").content.decode(), "today")
    assert words.endswith("Total 0 — — No data before 2025-09-16 12:34 .")


@pytest.mark.usefixtures("at_noon")
def test_a_yesterday_without_data_is_no_zero(signed_in: SignIn, olga: User, machine: Device) -> None:
    press(machine, NOW)
    words = region(signed_in(olga).get("/").content.decode(), "today")
    assert words.endswith("Total 1 — — No data before 2025-09-16 12:00 .")
    press(machine, NOW - DAY + HOUR)
    words = region(signed_in(olga).get("/").content.decode(), "today")
    assert words.endswith("Total 1 — 1 No data before 2025-09-15 13:00 .")
    press(machine, NOW - 2 * DAY)
    words = region(signed_in(olga).get("/").content.decode(), "today")
    assert words.endswith("Total 1 0 1")


@pytest.mark.parametrize(
    ("now", "until", "expected"),
    [
        ("2026-03-08T17:30Z", "13:30", "Total 0 14 24"),  # two o'clock was skipped today
        ("2026-03-09T06:30Z", "02:30", "Total 0 2 23"),  # and yesterday
        ("2026-11-01T06:30Z", "01:30", "Total 0 2 24"),  # one o'clock is repeated today
        ("2026-11-02T06:30Z", "01:30", "Total 0 2 25"),  # and yesterday: until its first half past one
        ("2026-11-02T07:30Z", "02:30", "Total 0 4 25"),
    ],
)
def test_yesterday_until_the_same_time_on_the_wall(
    signed_in: SignIn, vera: User, machine: Device, settings: Any, now: str, until: str, expected: str
) -> None:
    settings.STATS_TIME_ZONE = "America/New_York"
    at = datetime.fromisoformat(now)
    yesterday = at.astimezone(ZoneInfo("America/New_York")).date() - DAY
    for hours in range(-40, 72):
        hour = datetime(at.year, at.month, at.day, tzinfo=UTC) - DAY + hours * HOUR
        if hour.astimezone(ZoneInfo("America/New_York")).date() == yesterday:
            press(machine, hour, received_at=hour)
    press(machine, at - 5 * DAY)
    with time_machine.travel(at, tick=False):
        words = region(signed_in(vera).get("/").content.decode(), "today")
    assert f"Yesterday until {until} " in words and words.endswith(expected)


def test_day_is_that_of_the_statistics(signed_in: SignIn, vera: User, machine: Device, settings: Any) -> None:
    settings.STATS_TIME_ZONE = "Asia/Kathmandu"  # 5:45 ahead: it is 00:15 of the 17th there
    with time_machine.travel(datetime(2025, 9, 16, 18, 30, tzinfo=UTC), tick=False) as clock:
        press(machine, datetime(2025, 9, 16, 18, 14, tzinfo=UTC))
        press(machine, datetime(2025, 9, 16, 18, 15, tzinfo=UTC))
        press(machine, datetime(2025, 9, 16, 0, 0, tzinfo=UTC))
        press(machine, datetime(2025, 9, 15, 18, 14, tzinfo=UTC))
        words = region(signed_in(vera).get("/").content.decode(), "today")
        assert words.endswith(
            "Yesterday until 00:15 All of yesterday Basic 1 0 2 Standard 0 0 0 Premium 0 0 0 Total 1 0 2"
        )
        clock.move_to(datetime(2025, 9, 17, 17, 30, tzinfo=UTC))
        words = region(signed_in(vera).get("/").content.decode(), "today")
        assert "Yesterday until 23:15" in words and words.endswith("Total 1 1 2")


@pytest.mark.usefixtures("at_noon")
def test_last_hour_by_the_minute(signed_in: SignIn, olga: User, machine: Device) -> None:
    for at in (NOW, NOW - 59 * MINUTE, NOW - HOUR):
        press(machine, at)
    html = signed_in(olga).get("/").content.decode()
    assert region(html, "hour").startswith("Last hour 2 treatments")
    columns = re.findall(r"<title>(\d\d:\d\d)\nBasic: (\d+)", html)
    assert len(columns) == 60
    assert [column for column in columns if column[1] != "0"] == [("11:35", "1"), ("12:34", "1")]


@pytest.mark.usefixtures("at_noon")
def test_quiet_ones_the_last_to_go_first(signed_in: SignIn, olga: User, sam: User, machine: Device) -> None:
    silent = {"A": 20 * MINUTE, "B": 3 * DAY, "C": 2 * HOUR, "fine": MINUTE}
    for name, ago in silent.items():
        hear(Device.objects.create(name=name, assigned=True, owner=sam), ago)
    hear(Device.objects.create(name="nobody's"), 3 * DAY)  # not assigned: nobody waits for it
    html = signed_in(olga).get("/").content.decode()
    rows = re.findall(r'<th scope="row"><a href="/devices/[^"]+">([^<]+)</a>', html.split('data-list="quiet"')[1])
    assert rows == ["A", "C", "B", "Factory Meter 1"]  # never heard of: last
    assert "M1, Altona" in html
    assert region(html, "quiet").startswith("Gone quiet 4 Show all")
    mine = region(signed_in(sam).get("/").content.decode(), "quiet")
    assert mine.startswith("Gone quiet 3") and "Factory Meter 1" not in mine


@pytest.mark.usefixtures("at_noon")
def test_only_the_first_quiet_ones(signed_in: SignIn, olga: User) -> None:
    for number in range(QUIET + 3):
        hear(Device.objects.create(name=f"Unit {number}", assigned=True), DAY + number * MINUTE)
    html = signed_in(olga).get("/").content.decode()
    assert len(re.findall("<tr data-key", html)) == QUIET
    assert region(html, "quiet").startswith(f"Gone quiet {QUIET + 3} ")
    assert 'href="/devices?assigned=yes&amp;sort=-heard"' in html


def trouble(device: Device) -> None:
    """One of each, and of each one that is no trouble: too old, let go, permitted, still open, executed."""
    Enrolment.objects.get_or_create(device=device)
    for at, permitted in ((NOW - HOUR, False), (NOW - DAY - SECOND, False), (NOW, True)):
        HandshakeAttempt.objects.create(device=device, at=at, permitted=permitted)
    for digest, state in (("a", "open"), ("b", "discarded"), ("c", "accepted")):
        QuarantinedEvent.objects.create(device=device, digest=digest, state=state, first_at=NOW, last_at=NOW)
    press(device, NOW, ts="1999-01-01T00:00:00Z")
    command = {"device": device, "command_type": "CLEAR_QUEUE", "expires_at": NOW + DAY, "changed_at": NOW - HOUR}
    for fields in (
        {"status": "failed"},
        {"expires_at": NOW},
        {"status": "sent", "sent_at": NOW - HOUR},
        {"status": "failed", "changed_at": NOW - DAY - SECOND},
        {"expires_at": NOW - DAY - SECOND},
        {"status": "sent", "sent_at": NOW},
        {"status": "pending"},
        {"status": "executed"},
    ):
        Command.objects.create(**{**command, **fields})


@pytest.mark.usefixtures("at_noon")
def test_what_waits_for_an_operator(signed_in: SignIn, olga: User, vera: User, machine: Device, pump: Device) -> None:
    assert region(signed_in(olga).get("/").content.decode(), "waiting") == (
        "Waiting for an operator 1 device not assigned yet Show"
    )
    trouble(machine)
    html = signed_in(olga).get("/").content.decode()
    assert region(html, "waiting") == (
        "Waiting for an operator 1 device not assigned yet Show"
        " 1 handshake refused in the last day Factory Meter 1"
        " 1 refused event in the way of others Factory Meter 1"
        " 1 event with a suspect clock Factory Meter 1"
        " 3 commands failed or timed out in the last day Factory Meter 1"
    )
    page = f"/devices/{machine.device_id}"
    links = re.findall(r'href="([^"]+)"', html.split('class="waiting"')[1].split("</ul>")[0])
    assert links == [
        "/devices?assigned=no",
        f"{page}#enrolment",
        f"{page}#refused",
        f"{page}#status",
        f"{page}/commands",
    ]
    assert "Waiting for an operator" not in signed_in(vera).get("/").content.decode()


@pytest.mark.usefixtures("at_noon")
def test_nothing_waits(signed_in: SignIn, olga: User, machine: Device) -> None:
    assert region(signed_in(olga).get("/").content.decode(), "waiting").endswith("Nothing waits for you.")
    trouble(machine)
    Device.objects.filter(pk=machine.pk).update(archived_at=NOW)
    assert region(signed_in(olga).get("/").content.decode(), "waiting").endswith("Nothing waits for you.")


@pytest.mark.usefixtures("at_noon")
def test_devices_with_most_are_named(signed_in: SignIn, olga: User) -> None:
    for number in range(1, NAMED + 3):
        device = Device.objects.create(name=f"U{number}", assigned=True)
        for place in range(number):
            QuarantinedEvent.objects.create(device=device, digest=str(place), first_at=NOW, last_at=NOW)
    words = region(signed_in(olga).get("/").content.decode(), "waiting")
    assert words.endswith("15 refused events in the way of others U5 · U4 · U3 and 2 more")


@pytest.mark.usefixtures("at_noon")
def test_recent_events(signed_in: SignIn, vera: User, sam: User, machine: Device) -> None:
    press(machine, NOW - 2 * DAY)
    for number in range(TICKER):
        press(machine, NOW - (TICKER - number) * MINUTE, treatment="STANDARD")
    late = press(machine, NOW - 3 * DAY, received_at=NOW, treatment="PREMIUM")
    html = signed_in(vera).get("/").content.decode()
    keys = re.findall(r'<li data-key="(\d+)"', html)
    assert len(keys) == TICKER and keys[0] == str(late.pk)
    assert "Premium Factory Meter 1 M1, Altona" in region(html, "ticker")
    assert "No event has arrived" in region(signed_in(sam).get("/").content.decode(), "ticker")
    assert "<li data-key" not in signed_in(sam).get("/").content.decode()


def look(client: Client, page: Any, path: str = "/") -> Any:
    """What changed since the page, as the script asks."""
    html = page.content.decode()
    tags = {
        name: re.findall(r'data-key="([^"]+)" data-tag="([^"]+)"', html.split(f'data-list="{name}">')[1].split("</")[0])
        for name in re.findall(r'data-list="([^"]+)"', html)
    }
    tags["parts"] = re.findall(r'data-part="([^"]+)" data-tag="([^"]+)"', html)
    told = ";".join(f"{name}:" + ",".join(f"{key}={tag}" for key, tag in pairs) for name, pairs in tags.items())
    version = re.findall(r'data-version="([^"]+)"', html)[0]
    return client.get(path, headers={"HX-Request": "true", VERSION: version, TAGS: told})


@pytest.mark.usefixtures("at_noon")
def test_a_press_changes_what_it_touches(
    signed_in: SignIn, olga: User, machine: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    press(machine, NOW - DAY)
    hear(machine, MINUTE)
    client = signed_in(olga)
    page = client.get("/")
    look(client, page)  # from now on she is known
    with django_assert_num_queries(2):  # who looks, and the version
        reply = look(client, page)
    assert (reply.status_code, reply.content) == (204, b"")
    event = press(machine, NOW)
    reply = look(client, page)
    assert reply.status_code == 200
    html = reply.content.decode()
    assert set(re.findall(r'data-part="([^"]+)"', html)) == {"today", "hour"}
    assert f'<template data-list="ticker" data-order="{event.pk} ' in html
    assert len(re.findall("<li data-key", html)) == 1


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize("count", [1, 30])
def test_queries_do_not_grow_with_devices(
    signed_in: SignIn, olga: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        device = Device.objects.create(name=f"Unit {number}", assigned=True)
        trouble(device)
        DeviceState.objects.filter(device=device).update(latest_received_at=NOW)
    client = signed_in(olga)
    with django_assert_num_queries(29):
        client.get("/")


@pytest.mark.parametrize("path", ["/?x=%00", "/?" + "y" * 4000])
def test_whatever_the_address_says(signed_in: SignIn, vera: User, path: str) -> None:
    assert signed_in(vera).get(path).status_code == 200


def test_a_clock_that_was_set(signed_in: SignIn, olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.dashboard.views.clock_watch", watch := ClockWatch())
    with time_machine.travel(NOW, tick=False) as server_time:
        watch.look()
        page = signed_in(olga)
        assert "clock was set" not in page.get("/").content.decode()
        server_time.shift(timedelta(hours=-3))
        assert "The server&#x27;s clock was set back by 3 h." in page.get("/").content.decode().replace("'", "&#x27;")
