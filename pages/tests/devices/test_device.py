"""One device's page: what it says, to whom, and what travels when something changes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from device_gateway.enrolment.services import shake_hands
from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, DeviceState, DeviceTelemetry, HandshakeAttempt
from device_gateway.registry.services import archive_device, change_device
from pages.kit.live import TAGS, VERSION
from pages.tests.conftest import SignIn, claim
from pages.tests.ozone import MAC, NOON, UNIT, press, refuse
from telemetry.commands import services as commands
from telemetry.machines.bindings import add_machine, assign_device, unassign_device
from telemetry.models import DeviceStatus, Machine, QuarantinedEvent


@pytest.fixture
def page(signed_in: SignIn, olga: User) -> Callable[..., str]:
    """The page's words as staff read them: no tags, no more than one blank between two."""

    def words(path: str = UNIT) -> str:
        return text_of(signed_in(olga).get(path))

    return words


def text_of(reply: Any) -> str:
    assert reply.status_code == 200, reply.content
    return " ".join(re.sub(r"<[^>]+>", " ", reply.content.decode().partition("<main")[2]).split()).replace(" ,", ",")


# --- what it says ---


def test_what_it_is(page: Callable[..., str], unit: Device) -> None:
    words = page()
    for fact in ("Ozone unit 1", "OZ-001", MAC, "1.4.2", "Bay 1", "Left of the door", "vera", "CH1", "Chai Chee"):
        assert fact in words
    assert "It was never heard from." in words
    assert "It has not been heard from. Switch it on" in words
    assert "Recent events" in words


@pytest.mark.parametrize(
    ("poll", "seen", "status", "why"),
    [
        (timedelta(minutes=16), None, "online", "Its last poll is no older than 16 min."),
        (timedelta(minutes=16, seconds=1), None, "idle", "Its last poll is older than 16 min."),
        (timedelta(hours=1, seconds=1), None, "offline", "Its last poll is older than 1 h."),
        (None, timedelta(minutes=1), "online", "Its last message is no older than 16 min."),
        (timedelta(hours=2), timedelta(0), "offline", "It has sent since then, but of a device that has polled only"),
    ],
)
def test_why_it_is_online_or_not(
    page: Callable[..., str], unit: Device, poll: timedelta | None, seen: timedelta | None, status: str, why: str
) -> None:
    with time_machine.travel(NOON, tick=False):
        heard = {"last_poll": poll and NOON - poll, "last_seen": None if seen is None else NOON - seen}
        DeviceState.objects.filter(device=unit).update(**heard)
        words = page()
    assert f"Ozone unit 1 {status} OZ-001" in words
    assert why in words


def test_counters_and_flags(page: Callable[..., str], unit: Device) -> None:
    DeviceStatus.objects.update_or_create(
        device=unit,
        defaults={
            "current_count_basic": 31, "current_count_standard": 22, "current_count_premium": 13,
            "wifi_status": "connected -61", "wifi_connected": True, "rtc_available": False, "uptime_seconds": 36_300,
            "device_timestamp": "2026-03-01 20:00:00",
        },
    )  # fmt: skip
    words = page()
    assert "Basic 31 Standard 22 Premium 13" in words
    assert "WiFi connected “connected -61” Real-time clock missing SD card — Uptime 10 h 5 min" in words
    assert "Its own clock 2026-03-01 20:00:00 as it told last" in words
    assert "Signal" not in words


def test_vitals(page: Callable[..., str], unit: Device) -> None:
    told = {"rssi": -61, "free_heap": 181_204, "queue_length": 0, "reset_reason": "<b>", "vitals_at": NOON}
    DeviceStatus.objects.update_or_create(device=unit, defaults=told)
    said = "Signal -61 dBm Free memory 181204 bytes Its queue 0 events Last restart &lt;b&gt; It told these 2026-03-01"
    assert said in page()


def test_what_came_with_the_claim(
    page: Callable[..., str], signed_in: SignIn, olga: User, vera: User, meter: Device
) -> None:
    claim(meter, vera, notes="Bay 4", metadata={"order": 17}, told={"fw": "<1>"})
    words = page(f"/devices/{meter.device_id}/")
    assert "Claimed from 203.0.113.9 device: fw &lt;1&gt; Token notes Bay 4 Token metadata order 17" in words


def test_a_meter_has_no_counters_and_a_chart_of_each_number(
    page: Callable[..., str], signed_in: SignIn, olga: User, meter: Device
) -> None:
    for minute in range(3):
        at = NOON + timedelta(minutes=minute)
        payload = {"voltage": 230.5 + minute, "kwh": 7, "on": True, "note": "<b>"}
        DeviceTelemetry.objects.create(device=meter, occurred_at=at, received_at=at, payload=payload)
    path = f"/devices/{meter.device_id}/"
    words = page(path)
    (newest,) = re.findall(r"Reading \S+ \S+ (.+?) (?:arrived )?2026-", words)
    assert set(newest.split(" · ")) == {"voltage 232.5", "kwh 7", "on true", "note &lt;b&gt;"}
    assert "SD card" not in words
    assert "cannot shake hands" in words
    html = signed_in(olga).get(path).content.decode()
    charts = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert sorted(charts) == ["kwh in the last 3 readings", "voltage in the last 3 readings"]


def test_of_large_readings_the_page_shows_fewer(
    page: Callable[..., str], meter: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of them may be 25 MB, at each look."""
    monkeypatch.setattr("ozone.webapi.paging.MOST", 1_000)
    for minute in range(5):
        at = NOON + timedelta(minutes=minute)
        payload = {"kwh": minute, "text": "x" * 450}
        DeviceTelemetry.objects.create(device=meter, occurred_at=at, received_at=at, payload=payload)
    assert re.findall(r"\bkwh (\d) · text x", page(f"/devices/{meter.device_id}/")) == ["4", "3"]


def test_events_by_when_they_happened_suspect_ones_by_arrival(
    page: Callable[..., str], signed_in: SignIn, olga: User, unit: Device
) -> None:
    with time_machine.travel(NOON, tick=False):
        press(unit, 1, occurred_at=NOON - timedelta(hours=3))
        press(unit, 2, occurred_at=datetime(2025, 1, 1, tzinfo=UTC), clock_suspect=True, device_timestamp="1 Jan")
        press(unit, 3, occurred_at=NOON - timedelta(hours=1), received_at=NOON - timedelta(hours=1))
        words = page()
        html = signed_in(olga).get(UNIT).content.decode()
    events = html.partition('data-list="events"')[2].partition("</tbody>")[0]
    assert re.findall(r'data-label="Counter" class="count">(\d+)<', events) == ["2", "3", "1"]
    assert "clock suspect arrived 2026-03-01 12:00:00, device said 1 Jan" in words
    assert "An event came with a time that cannot be right." in words
    assert events.count("arrived") == 2  # the suspect one, and the one that came three hours late


def test_refused_events_and_how_often(page: Callable[..., str], unit: Device) -> None:
    refuse(unit)
    refuse(unit, digest="x" * 64, state=QuarantinedEvent.State.DISCARDED, reason="counter: Too much.", body="{" * 400)
    words = page()
    assert "An event was refused, and may hold up all that the device has queued behind." in words
    assert "treatment: Must be BASIC, STANDARD or PREMIUM. bad-1" in words
    assert words.index("treatment: Must be") < words.index("counter: Too much.")
    assert words.count("Accept Discard") == 1
    assert "{" * 300 + "…" in words


def test_the_last_commands(page: Callable[..., str], unit: Device, olga: User) -> None:
    fields = {"command_type": "GET_STATUS", "description": "why so quiet", "expires_in_hours": 1}
    commands.create(device=unit, fields=fields, author=olga, now=timezone.now())
    assert "GET_STATUS normal pending" in page()
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1)):
        assert "GET_STATUS normal timeout" in page()


def test_where_it_was(page: Callable[..., str], unit: Device) -> None:
    unassign_device(machine=Machine.objects.get())
    other = add_machine(fields={"name": "CH2", "outlet": None})
    assign_device(machine=other, device=unit)
    words = page().partition("Machines it was in")[2]
    assert re.search(r"CH2 — \S+ \S+ now CH1 Chai Chee \S+ \S+ \S+ \S+", words)


def test_enrolment_open_held_and_closed(page: Callable[..., str], unit: Device) -> None:
    assert "Window open until" in page()
    now = timezone.now()
    token = shake_hands(mac=MAC, firmware="1.4.2", presented="", client="203.0.113.5", now=now).token
    assert token is not None
    words = page()
    assert "Held by 203.0.113.5" in words
    assert f"Begins with {token[:8]}…" in words
    assert token[:9] not in words
    Credential.objects.update(last_used_at=now + timedelta(seconds=1))
    assert "Window Closed: a handshake needs the token in force." in page()


def test_a_refused_handshake_is_told_until_the_token_is_used(page: Callable[..., str], unit: Device) -> None:
    now = timezone.now()
    HandshakeAttempt.objects.create(device=unit, at=now, address="198.51.100.7", firmware="9.9", permitted=False)
    words = page()
    assert "Its last handshake was refused" in words
    assert "refused 198.51.100.7 9.9" in words
    key = set_key(device=unit, key="k" * 40, source=Credential.Source.HANDSHAKE, now=now)
    Credential.objects.filter(pk=key.pk).update(last_used_at=now - timedelta(seconds=121))
    assert "Its last handshake was refused" in page()
    Credential.objects.filter(pk=key.pk).update(last_used_at=now - timedelta(seconds=119))
    assert "Its last handshake was refused" not in page()


def test_an_unassigned_one(page: Callable[..., str]) -> None:
    Device.objects.create(mac=MAC)
    words = page(f"/devices/{MAC}/")
    assert "Not assigned: what it sends is refused." in words
    assert "Window Open until it is assigned." in words


# --- its names ---


@pytest.mark.parametrize("name", ["OZ-001", "oz-old", MAC, "ece334462bc0", "<number>"])
def test_every_name_it_has_or_had_leads_to_it(signed_in: SignIn, olga: User, unit: Device, name: str) -> None:
    change_device(device=unit, fields={"device_id": "oz-old"})
    change_device(device=unit, fields={"device_id": "OZ-001"})
    path = f"/devices/{name.replace('<number>', str(unit.pk))}/"
    reply = signed_in(olga).get(path, follow=True)
    assert reply.status_code == 200
    assert "Former names" in reply.content.decode()
    assert reply.redirect_chain == ([] if name == "OZ-001" else [("/devices/OZ-001", 302)])


@pytest.mark.parametrize("name", ["nobody", "%00", "9" * 400, "..%2f..", "'\"<x>", "%F0%9F%92%A9", "-1", "١٢"])
def test_a_name_nobody_has(signed_in: SignIn, olga: User, unit: Device, name: str) -> None:
    reply = signed_in(olga).get(f"/devices/{name}/")
    assert reply.status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_is_only_read(signed_in: SignIn, olga: User, unit: Device, method: str) -> None:
    reply = getattr(signed_in(olga), method.lower())(UNIT)
    assert reply.status_code == 405
    assert set(reply["Allow"].split(", ")) == {"GET", "HEAD"}


# --- who ---


def test_its_owner_sees_it_and_changes_nothing(signed_in: SignIn, vera: User, unit: Device) -> None:
    refuse(unit)
    press(unit, clock_suspect=True)
    reply = signed_in(vera).get(UNIT)
    assert "Ozone unit 1" in text_of(reply)
    links = set(re.findall(r'href="([^"]+)"', reply.content.decode().partition("<main")[2]))
    assert f"/gateway/device-tokens?device={unit.pk}" in links
    assert not [link for link in links if re.search("edit|rename|assign|allow|rotate|archive|redate|quarantine", link)]


def test_a_stranger_finds_nothing(signed_in: SignIn, sam: User, unit: Device, client: Client) -> None:
    assert signed_in(sam).get(UNIT).status_code == 404
    assert client.get(UNIT)["Location"] == f"/login/?next={UNIT}"


def test_an_archived_one_is_staffs(signed_in: SignIn, olga: User, vera: User, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        archive_device(device=unit, now=NOON)
    reply = signed_in(olga).get(UNIT)
    assert "Archived 2026-03-01 12:00 ." in text_of(reply)
    html = reply.content.decode()
    assert "/devices/OZ-001/restore" in html
    assert not re.search("OZ-001/(edit|rename|assign|allow|rotate|archive)", html)
    assert signed_in(vera).get(UNIT).status_code == 404


# --- what travels ---


class Browser:
    """Asks for what is new, as the script does."""

    def __init__(self, client: Client) -> None:
        self.client = client
        html = client.get(UNIT).content.decode()
        self.version = re.findall(r'data-version="([^"]+)"', html)[0]
        lists = re.findall(r'<tbody[^>]*data-list="(\w+)"[^>]*>(.*?)</tbody>', html, re.DOTALL)
        groups = [f"{name}:{self._pairs('key', inner)}" for name, inner in lists]
        self.tags = ";".join([*groups, f"parts:{self._pairs('part', html)}"])

    def _pairs(self, name: str, html: str) -> str:
        found = re.findall(rf'data-{name}="([^"]+)" data-tag="([^"]+)"', html)
        return ",".join(f"{key}={tag}" for key, tag in found)

    def look(self) -> Any:
        headers = {"HX-Request": "true", VERSION: self.version, TAGS: self.tags}
        return self.client.get(UNIT, headers=headers)


def test_an_unchanged_page_is_one_query(
    signed_in: SignIn, olga: User, unit: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with time_machine.travel(NOON, tick=False):
        browser = Browser(signed_in(olga))
        browser.look()  # from now on she is known
        with django_assert_num_queries(2):  # who looks, and the version
            reply = browser.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_a_press_is_one_row(signed_in: SignIn, olga: User, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        press(unit, 1)
        browser = Browser(signed_in(olga))
        press(unit, 2)
        html = browser.look().content.decode()
    assert re.findall(r'data-label="Counter" class="count">(\d+)<', html) == ["2"]
    assert re.findall(r'data-part="(\w+)"', html) == []


def test_a_press_of_another_device_is_nothing(signed_in: SignIn, olga: User, unit: Device, meter: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        browser = Browser(signed_in(olga))
        press(meter)
        reply = browser.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_a_page_with_much_on_it_costs_as_many_queries_as_one_with_little(
    signed_in: SignIn, olga: User, unit: Device, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        press(unit, number, clock_suspect=number % 2 == 0)
        refuse(unit, digest=f"{number:064}")
        HandshakeAttempt.objects.create(device=unit, at=timezone.now(), address="198.51.100.7", permitted=False)
    client = signed_in(olga)
    with django_assert_max_num_queries(18):
        assert client.get(UNIT).status_code == 200
