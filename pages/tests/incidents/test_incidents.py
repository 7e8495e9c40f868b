"""The pages of incidents: who sees which, and what they do about them."""

from typing import Any, Final

import pytest
import time_machine
from django.test import Client

from alerts.conditions.models import Rule
from alerts.incidents.models import Incident, Maintenance
from device_gateway.versions import RegistryVersion
from pages.tests.conftest import SignIn
from pages.tests.forms import filled_in
from pages.tests.onlooker import Onlooker, table, text
from telemetry.models import DeviceStatus
from telemetry.tests.cast import DAY, HOUR, NOON, Site

LIST: Final = "/incidents/"


def silent(site: Site, **more: Any) -> Incident:
    usual = {
        "kind": "silent", "subject_key": f"device:{site.device.pk}", "subject": "CH1 at Chai Chee",
        "device": site.device, "machine": site.machine, "outlet": site.outlet, "since": NOON - 3 * HOUR,
        "opened_at": NOON - HOUR, "told_at": NOON - HOUR, "facts": {"usual_seconds": 120},
    }  # fmt: skip
    return Incident.objects.create(**{**usual, **more})


@pytest.fixture
def incident(site: Site) -> Incident:
    return silent(site)


def path_of(incident: Incident, word: str = "") -> str:
    return f"{LIST}{incident.pk}/{word}"


def shown(client: Client, path: str = LIST, name: str = "incidents") -> list[str]:
    return [row[0] for row in table(client.get(path), name)]


def test_the_open_ones_are_listed(incident: Incident, site: Site, staff: Client, owner: Client) -> None:
    silent(site, subject_key="device:9999", subject="Elsewhere", device=None, machine=None, outlet=None)
    silent(site, ended_at=NOON)
    assert shown(staff) == ["Silent CH1 at Chai Chee", "Silent Elsewhere"]
    assert shown(owner) == ["Silent CH1 at Chai Chee"]
    assert shown(staff, f"{LIST}?state=ended") == ["Silent CH1 at Chai Chee"]
    assert len(shown(staff, f"{LIST}?state=all")) == 3
    assert shown(staff, f"{LIST}?q=elsewhere") == ["Silent Elsewhere"]
    assert shown(staff, f"{LIST}?kind=outlet_silent") == []


def test_an_incident_is_told_whole(incident: Incident, site: Site, owner: Client) -> None:
    DeviceStatus.objects.filter(device=site.device).update(
        reset_reason="brownout", rssi=-88, free_heap=1200, queue_length=7, vitals_at=NOON - 3 * HOUR
    )
    held = silent(site, subject_key="device:1234", subject="Another", told_at=None, held_by=incident)
    silent(site, ended_at=NOON - DAY, since=NOON - 2 * DAY, opened_at=NOON - 2 * DAY)
    reply = owner.get(path_of(incident))
    words = text(reply.content.decode())
    for said in (
        incident.title,
        incident.sentence,
        incident.advice,
        "brownout",
        "-88 dBm",
        "1200 bytes",
        "7 events",
        "Usual 2 min",
    ):
        assert text(said) in words
    assert [row[:2] for row in table(reply, "members")] == [["Silent Another", "not told"]]
    assert [row[:2] for row in table(reply, "earlier")] == [["Silent CH1 at Chai Chee", "ended"]]
    assert f"with {incident.title}" in text(owner.get(path_of(held)).content.decode())


def test_others_incidents_are_not_there(incident: Incident, site: Site, signed_in: SignIn) -> None:
    assert site.mallory.user
    stranger = signed_in(site.mallory.user)
    for word in ("", "acknowledge/", "snooze/"):
        assert stranger.get(path_of(incident, word)).status_code == 404
    assert stranger.post(path_of(incident, "acknowledge/"), {"note": ""}).status_code == 404
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_it_is_acknowledged_and_put_off(incident: Incident, owner: Client) -> None:
    onlooker = Onlooker(owner, path_of(incident))
    path = path_of(incident, "acknowledge/")
    assert owner.post(path, filled_in(owner, path, note="Fuse ordered")).status_code == 302
    assert "Fuse ordered" in onlooker.look().content.decode()
    assert table(owner.get(LIST), "incidents")[0][1::4] == ["acknowledged", "vera"]
    path = path_of(incident, "snooze/")
    assert owner.post(path, filled_in(owner, path, hours="4")).status_code == 302
    incident.refresh_from_db()
    assert (incident.note, incident.snoozed_until) == ("Fuse ordered", NOON + 4 * HOUR)


def test_one_that_is_over_is_left_alone(site: Site, owner: Client) -> None:
    over = silent(site, ended_at=NOON)
    path = path_of(over, "acknowledge/")
    reply = owner.post(path, filled_in(owner, path, note="Late"))
    assert (reply.status_code, "It has ended" in reply.content.decode()) == (409, True)


def test_the_dashboard_begins_with_them(incident: Incident, site: Site, owner: Client, staff: Client) -> None:
    for number in range(4):
        silent(site, subject_key=f"device:{1000 + number}", subject=f"Nr. {number}", device=None, since=NOON)
    assert "5 incidents" in text(staff.get("/").content.decode())
    assert "and 2 more" in text(staff.get("/").content.decode())
    Incident.objects.exclude(pk=incident.pk).delete()
    said = owner.get("/").content.decode()
    assert f"1 incident : {incident.title}" in text(said)
    assert "1 incident</strong></a>: <a" in said
    Incident.objects.update(acknowledged_at=NOON)
    RegistryVersion.change_pages()
    assert "1 incident" not in text(owner.get("/").content.decode())


def test_maintenance_is_added_and_ended(site: Site, staff: Client, owner: Client) -> None:
    for path in (f"{LIST}maintenance/", f"{LIST}maintenance/add/", f"{LIST}rules/", f"{LIST}rules/set/"):
        assert owner.get(path).status_code == 403
    path = f"{LIST}maintenance/add/?machine={site.machine.pk}"
    sent = filled_in(staff, path, end="2026-03-01T14:00", note="New tiles")
    assert staff.post(f"{LIST}maintenance/add/", sent).status_code == 302
    (window,) = Maintenance.objects.all()
    assert (window.machine, window.outlet, window.start) == (site.machine, None, NOON)
    (row,) = table(staff.get(f"{LIST}maintenance/"), "windows")
    assert row[:2] == [site.machine.name, "now"]
    path = f"{LIST}maintenance/{window.pk}/end/"
    with time_machine.travel(NOON + HOUR, tick=False):
        assert staff.post(path, filled_in(staff, path)).status_code == 302
        window.refresh_from_db()
        assert window.end == NOON + HOUR
        assert table(staff.get(f"{LIST}maintenance/"), "windows")[0][1] == "over"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "When it ends, or"),
        ({"end": "2026-02-01T00:00"}, "Later than the start."),
        ({"end": "soon"}, "A day and a time."),
        ({"weekly": "sometimes"}, "Write it as"),
    ],
)
def test_a_time_that_is_none(site: Site, staff: Client, fields: dict[str, str], said: str) -> None:
    path = f"{LIST}maintenance/add/"
    reply = staff.post(path, filled_in(staff, path, **fields))
    assert said in reply.content.decode()
    assert not Maintenance.objects.exists()


def test_thresholds_are_set_and_removed(site: Site, staff: Client) -> None:
    path = f"{LIST}rules/set/"
    sent = filled_in(staff, path, kind="silent", outlet=str(site.outlet.pk), minutes="90")
    assert staff.post(path, sent).status_code == 302
    assert [row[:3] for row in table(staff.get(f"{LIST}rules/"), "rules")] == [
        ["Silent", site.outlet.name, "after 1 h 30 min"]
    ]
    assert staff.post(path, filled_in(staff, path, **{**sent, "is_on": "no"})).status_code == 302
    (rule,) = Rule.objects.all()
    assert (rule.is_on, rule.seconds, rule.device) == (False, 5400, None)
    of_device = f"{path}?device={site.device.pk}"
    assert staff.post(path, filled_in(staff, of_device, kind="silent", minutes="10")).status_code == 302
    assert Rule.objects.filter(device=site.device, outlet=None, seconds=600).count() == 1
    remove = f"{LIST}rules/{rule.pk}/remove/"
    assert staff.post(remove, filled_in(staff, remove)).status_code == 302
    assert not Rule.objects.filter(pk=rule.pk).exists()
    reply = staff.post(path, filled_in(staff, path, kind="silent", low="5", high="4"))
    assert "More than what it is not to be under." in reply.content.decode()
