"""One clock on a page: that of STATS_TIME_ZONE, named once; every time has its seconds and UTC with it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import dateformat
from pytest_django import Settings

from device_gateway.claims.services import issue_token
from device_gateway.enrolment.services import shake_hands
from device_gateway.models import Device, DeviceState, DeviceTelemetry
from device_gateway.registry.services import archive_device
from pages.templatetags.facts import local
from pages.tests.conftest import SignIn, claim
from pages.tests.onlooker import text
from pages.tests.ozone import MAC, NOON, UNIT, press, refuse
from stations.tests.cast import SERIAL, SETTINGS, Connector, full, make_connector, returned
from telemetry.commands.services import create
from telemetry.models import Machine

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

NOON_THERE: Final = {
    "UTC": "2026-03-01 12:00",
    "Pacific/Kiritimati": "2026-03-02 02:00",
    "America/St_Johns": "2026-03-01 08:30",
}
PLACES: Final = (
    "/", "/devices", UNIT, "/devices/OZ-9", f"{UNIT}commands", f"{UNIT}allow-handshake", "/device-archive", "/machines",
    "/machines/{machine}/logs", "/gateway/device-tokens", "/device-tokens/revoke-key?device={device}", "/stations",
    f"/stations/{SERIAL}", "/account",
)  # fmt: skip
A_TIME: Final = re.compile(r'<time datetime="([^"]+)" title="([^"]+)" tabindex="-1"(?: data-ago)?>([^<]+)</time>')
LIKE_A_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|UTC")


@pytest.fixture(params=NOON_THERE)
def zone(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.STATS_TIME_ZONE = request.param
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    return str(request.param)


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def furnished(zone: str, now: datetime, unit: Device, meter: Device, olga: User) -> Device:
    """A device with all that has a time."""
    issue_token(device=meter, issuer=olga, now=now, lifetime_minutes=60)
    claim(meter, olga)
    shake_hands(mac=MAC, firmware="1.4.2", presented="", client="203.0.113.5", now=now)
    shake_hands(mac="EC:E3:34:00:00:01", firmware="1.4.2", presented="", client="203.0.113.5", now=now)
    press(unit, 1)
    press(unit, 2, occurred_at=now - timedelta(days=2), device_timestamp="two days ago")
    press(unit, 3, occurred_at=now - timedelta(days=900), clock_suspect=True, device_timestamp="long ago")
    refuse(unit)
    for minute in range(2):
        at = now - timedelta(minutes=minute)
        DeviceTelemetry.objects.create(device=unit, occurred_at=at, received_at=now, payload={"volts": minute})
    times = ("last_seen", "last_poll", "refused_at", "reused_at", "latest_received_at")
    told: dict[str, Any] = dict.fromkeys(times, now)
    DeviceState.objects.filter(device=unit).update(refused_readings=2, reused_ids=3, **told)
    create(device=unit, fields={"command_type": "GET_STATUS", "expires_in_hours": 1}, author=olga, now=now)
    old = Device.objects.create(name="Old", device_id="OZ-9")
    archive_device(device=old, now=now)
    connector = Connector(make_connector())
    assert connector.send(full({1: "B1"})).status_code == 200
    assert connector.send(returned("B1", 2)).status_code == 200
    User.objects.update(last_login=now)
    return unit


@pytest.mark.thorough
def test_every_time_on_every_page(furnished: Device, zone: str, signed_in: SignIn, olga: User) -> None:
    staff = signed_in(olga)
    named = {"machine": Machine.objects.get().pk, "device": furnished.pk}
    seen = set()
    for place in PLACES:
        reply = staff.get(place.format(**named))
        assert reply.status_code == 200, place
        html = reply.content.decode()
        main, _, foot = html.partition("</main>")
        assert html.count(f"by the clock of {zone}") == 1, place
        assert f"by the clock of {zone}" in foot, place
        for moment, title, words in A_TIME.findall(main):
            at = datetime.fromisoformat(moment)
            here = at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
            assert words in (here, here[:-3]), place
            assert title.endswith(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"), place
            assert title.startswith(here), place
            seen.add(words[:16])
        rest = re.sub(r"<(title|text)\b.*?</\1>", "", A_TIME.sub("", main), flags=re.DOTALL)  # of charts
        assert LIKE_A_TIME.findall(text(rest)) == [], place
    assert NOON_THERE[zone] in seen
    # --- charts, and what is said after a press ---
    assert f"<title>{NOON_THERE[zone]}:00" in staff.get(UNIT).content.decode()
    tomorrow = f"{datetime.fromisoformat(NOON_THERE[zone]) + timedelta(days=1):%Y-%m-%d %H:%M}"
    for action in ("rotate", "allow-handshake"):
        staff.post(f"{UNIT}{action}", {"sure_of": "in use"})
        (said,) = re.findall(r'<p class="message success">(.*?)</p>', staff.get(UNIT).content.decode())
        assert f">{tomorrow}</time>." in said
    # --- the admin site ---
    User.objects.filter(pk=olga.pk).update(is_superuser=True)
    page = signed_in(olga).get(f"/admin/device_gateway/device/{furnished.pk}/change/").content.decode()
    assert f"times by the clock of {zone}" in page
    assert dateformat.format(datetime.fromisoformat(NOON_THERE[zone]), "N j, Y, P") in page


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_time_at_the_end_of_the_calendar_breaks_no_page(zone: str, moment: datetime) -> None:
    """As a clock that was never set tells it: in some zone it is beyond the calendar."""
    assert f"{moment.year:04}-" in local(moment)
    assert f"{moment:%H:%M:%S} UTC" in local(moment)


def test_statistics_name_the_clock_that_was_asked_for(signed_in: SignIn, olga: User) -> None:
    staff = signed_in(olga)
    assert staff.get("/stats/").content.decode().count("by the clock of") == 1
    asked = staff.get("/stats/?tz=Europe/Berlin").content.decode()
    assert re.findall(r"by the clock of ([\w/]+)", asked) == ["Europe/Berlin"]


def test_pages_without_times_name_no_clock(client: Client, signed_in: SignIn, vera: User) -> None:
    assert "by the clock of" not in client.get("/login/").content.decode()
    assert "by the clock of" not in signed_in(vera).get("/no/such/page").content.decode()
