"""POST handshake: who gets a token, and that knowing a MAC is not enough."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from conftest import MonotonicClock
from device_gateway.claims.services import issue_token
from device_gateway.enrolment import services
from device_gateway.keys import memory
from device_gateway.models import Credential, Device, DeviceState, Enrolment, HandshakeAttempt
from device_gateway.tests.conftest import at_once, get, refusal
from telemetry.device_side.services import handshake
from telemetry.models import DeviceStatus
from telemetry.tests.cast import bearer
from telemetry.tests.conftest import MAC, NOON, Esp32
from tests.support.claims import claimed
from tests.support.doors import Door

HANDSHAKE = "/api/handshake/"
REFUSED = (403, "reenrolment_required")


def test_it_works(stranger: Esp32) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = stranger.shake(firmware="1.0.0")
    token = answer.json()["token"]
    assert (answer.status, answer.json()) == (200, {"device_id": MAC, "token": token, "assigned": False})
    assert answer.headers["cache-control"] == "no-store"
    assert len(token) <= 127 and token.isascii()
    device = stranger.device
    assert (device.device_id, device.firmware, device.assigned, device.provisional) == (MAC, "1.0.0", False, True)
    assert stranger.last_seen == NOON
    assert DeviceStatus.objects.get().device == device
    assert Credential.objects.get().hash != token


@pytest.mark.parametrize("mac", ["ece334462bc0", "EC-E3-34-46-2B-C0", "ec:e3:34:46:2b:c0", "ECE3.3446.2BC0"])
def test_a_mac_in_any_spelling_is_the_same_device(door: Door, stranger: Esp32, mac: str) -> None:
    stranger.shake()
    assert door.post(HANDSHAKE, {"mac": mac}).json()["device_id"] == MAC
    assert Device.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid")),
        (b"[]", (400, "not_an_object")),
        (b"{", (400, "malformed_json")),
        (b'{"mac": "\xff"}', (400, "malformed_json")),
        ({"mac": None}, (400, "invalid")),
        ({"mac": 5}, (400, "invalid")),
        ({"mac": "EC:E3:34:46:2B"}, (400, "invalid")),
        ({"mac": "GG:E3:34:46:2B:C0"}, (400, "invalid")),
        ({"mac": MAC, "firmware": 1}, (400, "invalid")),
        ({"mac": MAC, "firmware": "x" * 65}, (400, "invalid")),
    ],
)
@pytest.mark.both_doors
@pytest.mark.sqlite_only
def test_what_is_no_handshake(door: Door, write_path: None, body: Any, expected: tuple[int, str]) -> None:
    assert refusal(door.post(HANDSHAKE, body)) == expected
    assert Device.objects.count() == 0


@pytest.mark.both_doors
def test_wrong_method_and_type(door: Door, write_path: None) -> None:
    answer = door.send("GET", HANDSHAKE)
    assert (refusal(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "POST")
    body = b'{"mac": "EC:E3:34:46:2B:C0"}'
    assert refusal(door.send("POST", HANDSHAKE, body, {"Content-Type": "text/plain"})) == (415, "wrong_content_type")


def test_an_unassigned_device_gets_a_new_token_each_time_and_leaves_no_trail(stranger: Esp32) -> None:
    tokens = {stranger.shake().json()["token"] for _ in range(5)}
    assert len(tokens) == 5
    assert Credential.objects.count() == 1
    assert HandshakeAttempt.objects.count() == 0


@pytest.mark.alike
def test_the_token_it_waited_with_is_good_once_it_is_assigned(stranger: Esp32) -> None:
    stranger.enrol()
    assert stranger.press().status == 401
    stranger.assign()
    assert stranger.press().status == 200
    assert stranger.device.provisional is False


def test_a_device_with_a_device_id_is_assigned_and_told_its_name(door: Door, staff: str) -> None:
    made = door.post("/api/devices/", {"mac": MAC, "device_id": "esp32-001"}, staff)
    assert (made.status, made.json()["assigned"]) == (201, True)
    answer = Esp32(door).shake()
    assert (answer.status, answer.json()["device_id"], answer.json()["assigned"]) == (200, "esp32-001", True)


# --- The guard ---


@pytest.mark.alike
def test_a_stranger_with_the_mac_changes_nothing_and_is_seen(door: Door, esp32: Esp32, staff: str) -> None:
    assert esp32.press(current_counters={"basic": 4, "standard": 5, "premium": 6}).status == 200
    before = (esp32.last_seen, esp32.key, esp32.status.counts)
    answer = esp32.shake(peer="198.51.100.7", firmware="evil")
    assert refusal(answer) == REFUSED
    assert (esp32.last_seen, esp32.key, esp32.status.counts) == before
    assert esp32.device.firmware == ""
    seen = get(door, f"/api/devices/{MAC}/handshakes/", staff).json()
    assert (seen["refused"], seen["open_until"]) == (1, None)
    assert [(try_["address"], try_["firmware"], try_["permitted"]) for try_ in seen["attempts"]] == [
        ("198.51.100.7", "evil", False)
    ]
    assert esp32.press().status == 200
    # The real one has lost its token: it is back by itself when an operator allows it.
    assert refusal(esp32.shake()) == REFUSED
    allowed = door.post(f"/api/devices/{MAC}/allow-handshake/", {}, staff)
    assert (allowed.status, allowed.json()["status"]) == (200, "open")
    assert allowed.json()["last_used_at"] is not None
    esp32.enrol()
    assert esp32.press().status == 200
    assert refusal(esp32.shake(peer="198.51.100.7")) == REFUSED


@pytest.mark.alike
def test_the_current_token_is_given_back_to_whoever_shows_it(esp32: Esp32) -> None:
    esp32.press()
    answer = esp32.shake(token=esp32.token)
    assert (answer.status, answer.json()["token"]) == (200, esp32.token)
    assert refusal(esp32.shake(token="another")) == REFUSED


@pytest.mark.alike
def test_the_window_of_assigning_closes_at_the_first_use_of_the_token(esp32: Esp32) -> None:
    second = esp32.shake().json()["token"]
    assert second != esp32.token
    assert esp32.press().status == 401
    esp32.token = second
    assert esp32.press().status == 200
    assert refusal(esp32.shake()) == REFUSED


@pytest.mark.alike
def test_a_window_is_not_closed_by_a_token_from_before_it(
    door: Door, esp32: Esp32, staff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "USE_NOTED_EVERY", 0.0)
    esp32.press()
    door.post(f"/api/devices/{MAC}/allow-handshake/", {}, staff)
    assert esp32.press().status == 200
    opened_at = Enrolment.objects.get().opened_at
    assert esp32.key and esp32.key.last_used_at and opened_at
    assert esp32.key.last_used_at > opened_at
    assert esp32.shake().status == 200


@pytest.mark.parametrize(("later", "status"), [(-1, 200), (0, 403), (1, 403)])
def test_a_window_ends_after_its_hours(esp32: Esp32, later: int, status: int) -> None:
    opened_at = Enrolment.objects.get().opened_at
    assert opened_at is not None
    with time_machine.travel(opened_at + timedelta(hours=24, seconds=later), tick=False):
        assert esp32.shake().status == status


@pytest.mark.parametrize(("later", "status"), [(119, 403), (120, 200), (121, 200)])
@pytest.mark.both_doors
def test_the_first_address_holds_a_window_for_two_minutes(
    door: Door, esp32: Esp32, staff: str, later: int, status: int
) -> None:
    esp32.press()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        door.post(f"/api/devices/{MAC}/allow-handshake/", {}, staff)
        assert esp32.shake(peer="203.0.113.9").status == 200
        clock.shift(later)
        assert esp32.shake(peer="198.51.100.7").status == status


@pytest.mark.alike
def test_assigned_again_it_may_shake_hands(door: Door, esp32: Esp32, staff: str) -> None:
    """Its token was used, but not since."""
    esp32.press()
    assert refusal(esp32.shake()) == REFUSED
    for assigned in (False, True):
        changed = door.send("PATCH", f"/api/devices/{MAC}/", json.dumps({"assigned": assigned}).encode(), bearer(staff))
        assert changed.status == 200
    assert esp32.shake().status == 200


@pytest.mark.alike
def test_who_held_the_window_before_holds_not_the_next(door: Door, esp32: Esp32, staff: str) -> None:
    esp32.press()
    for peer in ("203.0.113.9", "198.51.100.7"):
        door.post(f"/api/devices/{MAC}/allow-handshake/", {}, staff)
        assert esp32.shake(peer=peer).status == 200


@pytest.mark.alike
def test_the_holder_may_ask_again(door: Door, esp32: Esp32, staff: str) -> None:
    esp32.press()
    door.post(f"/api/devices/{MAC}/allow-handshake/", {}, staff)
    assert [esp32.shake().status for _ in range(3)] == [200, 200, 200]


@pytest.mark.alike
def test_a_rotated_device_is_back_by_its_next_handshake(door: Door, esp32: Esp32, staff: str) -> None:
    esp32.press()
    answer = door.post(f"/api/devices/{MAC}/rotate/", {}, staff)
    assert (answer.status, answer.json()["status"]) == (200, "rotated")
    assert esp32.press().status == 401
    esp32.enrol()
    assert esp32.press().status == 200


def test_a_key_from_a_claim_is_never_replaced(esp32: Esp32, olga: User) -> None:
    device = esp32.device
    issued = issue_token(device=device, issuer=olga, now=timezone.now())
    key = claimed(issued.token, client="", now=timezone.now()).api_key
    Enrolment.open_windows([device.pk], timezone.now())
    assert refusal(esp32.shake()) == REFUSED
    esp32.token = key
    assert esp32.press().status == 200


def test_an_open_policy_gives_the_token_to_anybody(esp32: Esp32, settings: Settings) -> None:
    esp32.press()
    settings.HANDSHAKE_POLICY = "open"
    assert esp32.shake(peer="198.51.100.7").status == 200


@pytest.mark.alike
def test_an_archived_device_is_refused_until_it_is_restored(door: Door, esp32: Esp32, staff: str) -> None:
    assert door.send("DELETE", f"/api/devices/{MAC}/", headers={"Authorization": f"Bearer {staff}"}).status == 204
    assert refusal(esp32.shake()) == (403, "device_archived")
    assert refusal(esp32.press()) == (403, "device_archived")
    assert refusal(esp32.poll()) == (403, "device_archived")
    assert door.post(f"/api/devices/{MAC}/restore/", {}, staff).status == 200
    assert esp32.press().status == 200


@pytest.mark.alike
def test_twenty_attempts_are_kept_and_all_are_counted(door: Door, esp32: Esp32, staff: str) -> None:
    esp32.press()
    for number in range(25):
        esp32.shake(peer=f"198.51.100.{number}")
    seen = get(door, f"/api/devices/{MAC}/handshakes/", staff).json()
    assert seen["refused"] == 25
    assert [try_["address"] for try_ in seen["attempts"]] == [f"198.51.100.{number}" for number in range(24, 4, -1)]


# --- Many ---


@pytest.mark.both_doors
def test_handshakes_of_an_address_are_limited(
    door: Door, write_path: None, settings: Settings, limits_clock: MonotonicClock
) -> None:
    settings.LIMIT_HANDSHAKES = "3/10"
    statuses = [door.post(HANDSHAKE, {"mac": f"02000000000{number}"}).status for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


def test_past_the_limit_the_least_recently_seen_makes_room(door: Door, write_path: None, settings: Settings) -> None:
    settings.SELF_REGISTERED_DEVICES = 3
    macs = [f"02:00:00:00:00:0{number}" for number in range(1, 5)]
    assigned = Esp32(door, mac="02:00:00:00:00:0A")
    assigned.enrol().assign()
    for mac in macs[:3]:
        assert Esp32(door, mac=mac).shake().status == 200
    Esp32(door, mac=macs[0]).shake()
    assert Esp32(door, mac=macs[3]).shake().status == 200
    left = set(Device.objects.values_list("mac", flat=True))
    assert left == {assigned.mac, macs[0], macs[2], macs[3]}


def test_devices_that_have_sent_something_do_not_make_room(door: Door, write_path: None, settings: Settings) -> None:
    settings.SELF_REGISTERED_DEVICES = 1
    settings.LEGACY_INGEST = "on"
    assert door.post("/api/iot/", {"mode": "BASIC", "macaddr": MAC, "count1": 1}).status == 200
    assert Esp32(door, mac="02:00:00:00:00:01").shake().status == 429
    assert Device.objects.get().mac == MAC


@pytest.mark.both_doors
def test_twice_at_once_makes_one_device(door: Door, write_path: None) -> None:
    answers = at_once(8, lambda _: Esp32(door).shake())
    assert {answer.status for answer in answers} == {200}
    assert Device.objects.count() == Credential.objects.filter(revoked_at=None).count() == 1
    assert DeviceState.objects.count() == 1
    assert threading.active_count() > 0


def test_another_process_was_quicker(db: None) -> None:
    """It has registered the MAC between our look and our INSERT: the handshake goes on with its device."""
    first = Device.objects.create(mac=MAC, provisional=True)
    with transaction.atomic():
        assert services._registered(MAC, NOON) == (first, False)
        assert Device.objects.count() == 1


def test_a_first_one_is_few_statements(db: None, django_assert_max_num_queries: Any) -> None:
    """Whoever likes may ask for it, and all that devices send waits for it."""
    with django_assert_max_num_queries(19):
        handshake(mac=MAC, firmware="1.0.0", presented="", client="192.0.2.1", now=NOON)


@pytest.mark.alike
def test_the_handshakes_of_a_device_are_staffs_and_its_owners(door: Door, esp32: Esp32, olga: User) -> None:
    mallory = User.objects.create_user("mallory")
    from device_gateway.tests.conftest import token_of

    for path in ("handshakes", "quarantine"):
        assert get(door, f"/api/devices/{MAC}/{path}/").status == 401
        assert refusal(get(door, f"/api/devices/{MAC}/{path}/", token_of(mallory))) == (404, "unknown_device")
    for path in ("rotate", "allow-handshake", "redate"):
        answer = door.post(f"/api/devices/{MAC}/{path}/", {}, token_of(mallory))
        assert refusal(answer) == (403, "forbidden")
