"""Pages that follow what happens: nothing for an unchanged page, and of a changed one only what changed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import Device, DeviceState
from device_gateway.versions import RegistryVersion
from pages.kit import version
from pages.kit.live import TAGS, VERSION
from pages.tests.conftest import SignIn
from stations.models import SyncLog
from tests.support.postgres import another_connection

DEVICES = "/devices/"


class Browser:
    """Keeps what a page showed, and asks for what is new as the script does."""

    def __init__(self, client: Client, path: str = DEVICES) -> None:
        self.client = client
        self.path = path
        page = client.get(path)
        assert page.status_code == 200, page.content
        html = page.content.decode()
        self.version = re.findall(r'data-version="([^"]+)"', html)[0]
        self.rows = dict(re.findall(r'<tr data-key="([^"]+)" data-tag="([^"]+)"', html))
        self.parts = dict(re.findall(r'data-part="([^"]+)" data-tag="([^"]+)"', html))

    def look(self) -> Any:
        tags = ",".join(f"{key}={tag}" for key, tag in self.rows.items())
        parts = ",".join(f"{name}={tag}" for name, tag in self.parts.items())
        headers = {"HX-Request": "true", VERSION: self.version, TAGS: f"devices:{tags};parts:{parts}"}
        reply = self.client.get(self.path, headers=headers)
        self.version = reply.headers.get(VERSION, self.version)
        for key, tag in re.findall(r'<tr data-key="([^"]+)" data-tag="([^"]+)"', reply.content.decode()):
            self.rows[key] = tag
        return reply


def hear(device: Device, **ago: float) -> None:
    DeviceState.objects.filter(device=device).update(last_poll=timezone.now() - timedelta(**ago))


@pytest.fixture
def devices(db: None) -> list[Device]:
    return [Device.objects.create(name=f"Unit {number}", assigned=True) for number in range(1, 4)]


def test_an_unchanged_page_is_one_query_and_no_words(
    signed_in: SignIn, olga: User, devices: list[Device], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser = Browser(signed_in(olga))
    browser.look()  # from now on she is known
    with django_assert_num_queries(2):  # who looks, and the version
        reply = browser.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_windows_that_look_at_once_share_what_was_read(
    signed_in: SignIn,
    olga: User,
    devices: list[Device],
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(version, "SHARED_SECONDS", 60.0)
    browser = Browser(signed_in(olga))
    browser.look()
    with django_assert_num_queries(1):  # who looks
        assert browser.look().status_code == 204
    hear(devices[1])
    assert browser.look().status_code == 204
    # Who loads the page sees what is true now, and so does everybody after.
    assert 'class="badge online"' in browser.client.get(DEVICES).content.decode()
    assert browser.look().status_code == 200


@pytest.mark.alike
def test_only_the_row_that_changed_travels(signed_in: SignIn, olga: User, devices: list[Device]) -> None:
    browser = Browser(signed_in(olga))
    hear(devices[1])
    reply = browser.look()
    assert reply.status_code == 200
    assert re.findall(r"Unit \d", re.sub(r'aria-label="[^"]*"', "", reply.content.decode())) == ["Unit 2"]
    assert 'class="badge online"' in reply.content.decode()
    assert browser.look().status_code == 204


def test_a_new_row_comes_with_the_order_of_all(signed_in: SignIn, olga: User, devices: list[Device]) -> None:
    browser = Browser(signed_in(olga))
    fresh = Device.objects.create(name="Unit 0")
    words = browser.look().content.decode()
    order = re.findall(r'data-order="([^"]*)"', words)
    assert order == [" ".join(str(device.pk) for device in [fresh, *devices])]
    assert "1–4 of 4" in words


def test_a_row_that_goes_is_told_by_the_order_alone(signed_in: SignIn, olga: User, devices: list[Device]) -> None:
    browser = Browser(signed_in(olga))
    devices[0].archived_at = timezone.now()
    devices[0].save()
    words = browser.look().content.decode()
    assert f'data-order="{devices[1].pk} {devices[2].pk}"' in words
    assert "<tr" not in words


@pytest.mark.parametrize(("seconds", "status"), [(16 * 60, "idle"), (60 * 60, "offline")])
def test_time_alone_moves_a_status(
    signed_in: SignIn, olga: User, devices: list[Device], seconds: int, status: str
) -> None:
    start = timezone.now().replace(microsecond=0)
    with time_machine.travel(start, tick=False) as clock:
        hear(devices[0])
        browser = Browser(signed_in(olga))
        clock.move_to(start + timedelta(seconds=seconds))
        browser.look()  # the other threshold may have been crossed before
        clock.move_to(start + timedelta(seconds=seconds + 1))
        reply = browser.look()
        assert f'class="badge {status}"' in reply.content.decode()
        assert browser.look().status_code == 204


def test_another_process_page_is_known_by_its_words(signed_in: SignIn, olga: User, devices: list[Device]) -> None:
    """A version says nothing about rows: a browser that shows what is true already gets none of them again."""
    browser = Browser(signed_in(olga))
    RegistryVersion.change_pages()
    reply = browser.look()
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply[VERSION] == browser.version


@pytest.mark.alike
def test_each_sees_their_own(signed_in: SignIn, vera: User, sam: User, meter: Device, pump: Device) -> None:
    assert "Factory Meter 1" in signed_in(vera).get(DEVICES).content.decode()
    assert "Factory Meter 1" not in signed_in(sam).get(DEVICES).content.decode()
    stranger = Browser(signed_in(sam))
    before = stranger.version
    hear(meter)
    reply = stranger.look()
    assert (reply.status_code, reply.content, reply[VERSION]) == (204, b"", before)
    hear(pump)
    assert stranger.look().content.decode().count("<tr ") == 1


@pytest.mark.alike
def test_signed_out_meanwhile(signed_in: SignIn, olga: User, devices: list[Device]) -> None:
    browser = Browser(signed_in(olga))
    browser.client.logout()
    assert browser.look().status_code == 401
    page = browser.client.get(DEVICES)
    assert (page.status_code, page["Location"]) == (302, "/login/?next=/devices/")


@pytest.mark.parametrize("tags", ["", ";", "devices", "devices:1", "devices:=;parts:=", "x:y=z,;;", "\xff" * 50])
@pytest.mark.sqlite_only
def test_tags_of_nobody_are_answered_with_the_page(
    signed_in: SignIn, olga: User, devices: list[Device], tags: str
) -> None:
    reply = signed_in(olga).get(DEVICES, headers={"HX-Request": "true", VERSION: "old", TAGS: tags})
    assert reply.status_code == 200
    assert reply.content.decode().count("<tr ") == 3


class TestPeoplesChanges:
    """What a person changes by API or page is seen by pages that are open elsewhere."""

    def version(self) -> int:
        return RegistryVersion.objects.get(pk=1).page_version

    def test_a_change_by_api(self, signed_in: SignIn, olga: User) -> None:
        before = self.version()
        reply = signed_in(olga).post("/api/outlets/", {"name": "Altona"}, content_type="application/json")
        assert reply.status_code == 201
        assert self.version() != before

    def test_a_refused_one_and_a_look_change_nothing(self, signed_in: SignIn, vera: User) -> None:
        before = self.version()
        client = signed_in(vera)
        assert client.post("/api/outlets/", {"name": "Altona"}, content_type="application/json").status_code == 403
        assert client.get("/api/outlets/").status_code == 200
        assert Client().post("/api/handshake/", {"mac": "x"}, content_type="application/json").status_code == 400
        assert self.version() == before


@pytest.fixture
def line() -> dict[str, Any]:
    return {"received_at": timezone.now(), "outcome": SyncLog.Outcome.APPLIED, "milliseconds": 1, "body_hash": "x"}


@contextmanager
def slow_writer(line: dict[str, Any]) -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
    """Somebody who has stored the line and not committed it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    columns = ", ".join(["type", "serial_number", "code", "warnings", *line])
    with another_connection() as slow:
        insert = f"INSERT INTO stations_synclog ({columns}) VALUES ('', '', '', '', %s, %s, %s, %s)"
        slow.execute(insert.encode(), list(line.values()))
        yield slow


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_out_of_order_is_seen(line: dict[str, Any]) -> None:
    """Of two writers the one with the later row may be first: then the largest id does not change once more."""
    with slow_writer(line) as slow:
        SyncLog.objects.create(**line)
        before = version.version(timezone.now(), ["stations"])
        assert version.version(timezone.now(), ["stations"]) == before
        slow.commit()
        assert version.version(timezone.now(), ["stations"]) != before


@pytest.mark.django_db(transaction=True)
def test_what_people_change_rests_while_others_write(line: dict[str, Any]) -> None:
    """Totals of all time and the morning are kept until somebody changes something, and a fleet never stops writing."""
    now, follows = timezone.now(), ("people", "minute")
    before = version.version(now, follows)
    with slow_writer(line):
        SyncLog.objects.create(**line)
        assert version.version(now, follows) == before
        RegistryVersion.change_pages()
        assert version.version(now, follows) != before
