"""POST device/events: what an event may be, what is stored of it, and that it is stored once."""

import gzip
import json
from collections import Counter
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from device_gateway.models import Credential, Device, DeviceState
from device_gateway.tests.conftest import at_once, get, refusal, token_of
from ozone.wire import metrics
from telemetry.events import quarantine_views
from telemetry.events.services import accept_refused, discard_refused
from telemetry.models import DailyCount, HourlyCount, Machine, QuarantinedEvent, TelemetryEvent
from telemetry.tests.conftest import EVENTS, MAC, NOON, OTHER_MAC, Esp32
from tests.support.doors import Door

SEED_EVENT = {
    "device_id": MAC,
    "firmware": "1.0.0",
    "event_id": "esp32-001-0000000123",
    "event": "treatment",
    "treatment": "BASIC",
    "counter": 124,
    "ts": "2026-03-01T11:34:56Z",
}


def test_it_works(door: Door, esp32: Esp32, machine: Machine) -> None:
    Device.objects.update(created_at=NOON)
    DeviceState.objects.update(last_seen=None)
    with time_machine.travel(NOON, tick=False):
        answer = door.post(EVENTS, {**SEED_EVENT, "wifi_status": "ok", "note": "n"}, esp32.token)
    assert (answer.status, answer.json()) == (200, {"ack": True, "event_id": SEED_EVENT["event_id"]})
    (row,) = esp32.events()
    assert (row.event_id, row.event, row.event_type, row.treatment) == (
        SEED_EVENT["event_id"],
        "treatment",
        "BASIC",
        "BASIC",
    )
    assert (row.counter, row.count_basic, row.wifi_status, row.source) == (124, None, "ok", "device")
    assert (row.occurred_at.isoformat(), row.received_at) == ("2026-03-01T11:34:56+00:00", NOON)
    assert (row.device_timestamp, row.clock_suspect) == ("2026-03-01T11:34:56Z", False)
    assert row.payload == {"firmware": "1.0.0", "wifi_status": "ok", "note": "n"}
    assert esp32.last_seen == NOON
    assert esp32.device.firmware == "1.0.0"
    status = esp32.status
    assert (status.counts, status.mode, status.wifi_status) == (
        {"basic": 124, "standard": 0, "premium": 0},
        "BASIC",
        "ok",
    )
    (hour,), (day,) = HourlyCount.objects.all(), DailyCount.objects.all()
    assert (hour.starts_at.isoformat(), day.starts_at.isoformat()) == (
        "2026-03-01T11:00:00+00:00",
        "2026-03-01T00:00:00+00:00",
    )
    key = esp32.key
    assert key is not None and key.last_used_at == NOON


@pytest.mark.alike
@pytest.mark.parametrize("path", ["/api/device/events", "/api/device/events/", "/api/events", "/api/events/"])
@pytest.mark.both_doors
def test_its_paths(door: Door, esp32: Esp32, path: str) -> None:
    assert door.post(path, SEED_EVENT, esp32.token).status == 200
    assert len(esp32.events()) == 1


@pytest.mark.both_doors
def test_operators_read_at_the_same_path(door: Door, esp32: Esp32, staff: str) -> None:
    esp32.press()
    listed = get(door, f"/api/events/?device_id={MAC}&exclude_status=true", staff)
    assert (listed.status, [event["event_id"] for event in listed.json()]) == (200, ["e-1"])
    wrong = door.send("PUT", "/api/events/")
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    assert get(door, "/api/events/").status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": None},
        {"event_id": ""},
        {"event_id": "x" * 129},
        {"event_id": 5},
        {"event": "status"},
        {"event": None},
        {"treatment": "basic"},
        {"treatment": None},
        {"treatment": ["BASIC"]},
        {"counter": -1},
        {"counter": 2**31},
        {"counter": "124"},
        {"counter": True},
        {"counter": 1.5},
        {"firmware": "x" * 65},
        {"firmware": 1},
        {"device_id": 7},
        {"current_counters": {"basic": 1, "standard": 2}},
        {"current_counters": {"basic": 1, "standard": 2, "premium": -3}},
        {"current_counters": [1, 2, 3]},
    ],
)
def test_what_is_no_event_is_refused_by_name_and_kept_aside(door: Door, esp32: Esp32, change: dict[str, Any]) -> None:
    answer = door.post(EVENTS, {**SEED_EVENT, **change}, esp32.token)
    assert refusal(answer) == (400, "invalid")
    (place,) = answer.json()["errors"]
    assert place.partition(".")[0] == next(iter(change))
    assert esp32.events() == []
    kept = QuarantinedEvent.objects.get()
    assert json.loads(kept.body) == {**SEED_EVENT, **change}
    assert kept.reason.startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"3", "not_an_event"),
        (b"null", "not_an_event"),
        (b'{"event_id": NaN}', "malformed_json"),
        (b'{"event_id": "a\\u0000"}', "nul_character"),
        (b'{"event_id": "\xff"}', "malformed_json"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "too_deep"),
        (b'{"counter": 99999999999999999999}', "integer_too_large"),
    ],
)
@pytest.mark.both_doors
@pytest.mark.sqlite_only
def test_what_is_no_json_of_ours(door: Door, esp32: Esp32, body: bytes, code: str) -> None:
    assert refusal(door.post(EVENTS, body, esp32.token)) == (400, code)
    assert QuarantinedEvent.objects.get().code == code


def test_bounds(door: Door, esp32: Esp32) -> None:
    assert esp32.press(counter=2**31 - 1, event_id="x" * 128, firmware="f" * 64).status == 200
    assert esp32.press(counter=0, note="n" * 4000).status == 200
    assert refusal(esp32.press(note="n" * 4100)) == (400, "payload_too_large")
    assert door.post(EVENTS, b'{"a": "%s"}' % (b"x" * 300_000), esp32.token).status == 413


def test_flags_of_a_wrong_type_do_not_hold_a_press_up(esp32: Esp32) -> None:
    esp32.press(wifi_connected=True, rtc_available=False, sd_available=True, uptime_seconds=77, wifi_status="strong")
    assert esp32.press(wifi_connected="yes", rtc_available=1, uptime_seconds=-1, wifi_status=5).status == 200
    status = esp32.status
    assert (status.wifi_connected, status.rtc_available, status.sd_card_available) == (True, False, True)
    assert (status.uptime_seconds, status.wifi_status) == (77, "strong")


@pytest.mark.both_doors
def test_gzip_and_the_last_of_two_keys(door: Door, esp32: Esp32) -> None:
    body = b'{"event_id": "first", ' + json.dumps(SEED_EVENT).encode()[1:]
    assert door.post(EVENTS, gzip.compress(body), esp32.token, Content_Encoding="gzip").status == 200
    assert [row.event_id for row in esp32.events()] == [SEED_EVENT["event_id"]]


# --- Whose it is ---


@pytest.mark.both_doors
def test_without_a_good_token(door: Door, esp32: Esp32, staff: str) -> None:
    assert refusal(door.post(EVENTS, SEED_EVENT)) == (401, "bad_credential")
    assert refusal(door.post(EVENTS, SEED_EVENT, "wrong")) == (401, "bad_credential")
    assert refusal(door.post(EVENTS, SEED_EVENT, staff)) == (401, "bad_credential")
    assert refusal(door.post(EVENTS, SEED_EVENT, esp32.token, Content_Type="text/plain")) == (415, "wrong_content_type")
    assert QuarantinedEvent.objects.count() == 0


@pytest.mark.alike
def test_an_unassigned_device_is_told_to_shake_hands(stranger: Esp32) -> None:
    stranger.enrol()
    answer = stranger.press()
    assert refusal(answer) == (401, "not_assigned")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TelemetryEvent.objects.count() == 0


@pytest.mark.alike
def test_its_former_names_are_good_and_another_devices_are_not(
    door: Door, esp32: Esp32, neighbour: Esp32, staff: str
) -> None:
    for name in ("esp32-001", "esp32-002"):
        renamed = door.send(
            "PATCH",
            f"/api/devices/{MAC}/",
            json.dumps({"device_id": name}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {staff}"},
        )
        assert renamed.status == 200
    for number, name in enumerate(("esp32-002", "esp32-001", MAC)):
        assert esp32.press(device_id=name, event_id=str(number)).status == 200
        assert get(door, f"/api/device/{name}/commands/", esp32.token).status == 200
    for name in (OTHER_MAC, "unheard-of", "", str(esp32.device.pk)):
        assert refusal(esp32.press(device_id=name)) == (401, "bad_credential")
    assert refusal(door.post(EVENTS, [esp32.event(device_id=OTHER_MAC)], esp32.token)) == (401, "bad_credential")
    assert get(door, f"/api/device/{OTHER_MAC}/commands/", esp32.token).status == 401
    assert len(TelemetryEvent.objects.all()) == 3
    assert QuarantinedEvent.objects.count() == 0


# --- Once ---


def test_a_repeat_gets_the_same_reply_and_makes_no_row(door: Door, esp32: Esp32) -> None:
    answers = [door.post(EVENTS, SEED_EVENT, esp32.token) for _ in range(3)]
    assert len({(answer.status, answer.body) for answer in answers}) == 1
    assert len(esp32.events()) == 1
    assert [row.basic for row in DailyCount.objects.all()] == [1]


@pytest.mark.both_doors
def test_two_copies_at_once_make_one_row(door: Door, esp32: Esp32) -> None:
    answers = at_once(10, lambda _: door.post(EVENTS, SEED_EVENT, esp32.token))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert len(esp32.events()) == 1
    assert [row.basic for row in HourlyCount.objects.all()] == [1]


def test_another_event_under_a_known_id_is_acked_and_kept_as_a_conflict(door: Door, esp32: Esp32) -> None:
    def counted() -> float:
        return sum(
            float(line.rpartition(b" ")[2])
            for line in metrics.render().splitlines()
            if line.startswith(b'ozone_event_repeats_total{content="different"}')
        )

    door.post(EVENTS, SEED_EVENT, esp32.token)
    before = counted()
    for change in ({"treatment": "PREMIUM"}, {"counter": 125}, {"ts": "2026-03-01T11:34:57Z"}):
        for _ in range(2):  # its retry is no third event
            assert door.post(EVENTS, {**SEED_EVENT, **change}, esp32.token).json()["ack"] is True
    # An honest retry may carry newer vitals.
    assert door.post(EVENTS, {**SEED_EVENT, "more": 1, "rssi": -70}, esp32.token).status == 200
    assert counted() - before == 6
    assert [(row.treatment, row.counter) for row in esp32.events()] == [("BASIC", 124)]
    assert esp32.status.counts == {"basic": 124, "standard": 0, "premium": 0}
    kept = QuarantinedEvent.objects.order_by("pk")
    assert [(row.code, row.event_id, row.state, row.retries) for row in kept] == [
        ("event_conflict", SEED_EVENT["event_id"], "open", 1)
    ] * 3
    assert json.loads(kept[0].body)["treatment"] == "PREMIUM"
    assert kept[0].reason.startswith("Another event is stored under this event_id: BASIC 124 at ")


def test_two_events_under_one_id_in_one_batch(door: Door, esp32: Esp32) -> None:
    """A board that numbers its presses from 1 after each boot: none of them is lost."""
    batch = [esp32.event(event_id="1", counter=counter) for counter in (1, 2, 2)]
    assert door.post(EVENTS, batch, esp32.token).json()["ack"] is True
    assert [row.counter for row in esp32.events()] == [1]
    assert [json.loads(row.body)["counter"] for row in QuarantinedEvent.objects.all()] == [2]


@pytest.mark.alike
def test_conflicts_are_never_evicted(door: Door, esp32: Esp32) -> None:
    esp32.press(event_id="1", counter=1)
    door.post(EVENTS, [esp32.event(event_id="1", counter=counter) for counter in range(2, 302)], esp32.token)
    for start in (0, 250):
        door.post(EVENTS, [{"event_id": f"bad-{start + n}"} for n in range(250)], esp32.token)
    codes = Counter(QuarantinedEvent.objects.values_list("code", flat=True))
    assert (codes["event_conflict"], codes["invalid"]) == (300, 200)


@pytest.mark.alike
def test_a_conflict_is_counted_under_an_id_of_its_own_or_discarded(door: Door, esp32: Esp32) -> None:
    at = "2026-03-01T11:00:00Z"
    esp32.press(event_id="1", counter=1, ts=at)
    for counter in (2, 3):
        esp32.press(event_id="1", counter=counter, ts=at, rssi=-50)
    first, second = QuarantinedEvent.objects.order_by("pk")
    named = accept_refused(device=esp32.device, number=first.pk, correction={})
    discard_refused(device=esp32.device, number=second.pk)
    assert named == f"1-conflict-{first.pk}"
    assert [(row.event_id, row.counter, row.source) for row in esp32.events()] == [
        ("1", 1, "device"),
        (named, 2, "operator"),
    ]
    assert (esp32.events()[1].payload, esp32.events()[1].device_timestamp) == ({"rssi": -50}, at)
    assert sum(row.basic for row in DailyCount.objects.all()) == 2
    # The device may go on sending it.
    assert esp32.press(event_id="1", counter=2, ts=at).json()["ack"] is True
    assert len(esp32.events()) == 2


@pytest.mark.alike
def test_one_id_of_two_devices_is_two_events(esp32: Esp32, neighbour: Esp32) -> None:
    assert [one.press(event_id="same").status for one in (esp32, neighbour)] == [200, 200]
    assert TelemetryEvent.objects.count() == 2


# --- Batches ---


@pytest.mark.alike
@pytest.mark.parametrize("wrap", [lambda events: events, lambda events: {"events": events}])
def test_a_batch(door: Door, esp32: Esp32, wrap: Any) -> None:
    batch = [esp32.event(treatment) for treatment in ("BASIC", "PREMIUM", "PREMIUM")]
    answer = door.post(EVENTS, wrap(batch), esp32.token)
    results = [{"event_id": event["event_id"], "ack": True} for event in batch]
    assert (answer.status, answer.json()) == (200, {"ack": True, "results": results})
    assert [(row.basic, row.standard, row.premium) for row in DailyCount.objects.all()] == [(1, 0, 2)]
    assert esp32.status.counts == {"basic": 1, "standard": 0, "premium": 3}


def test_good_ones_are_stored_though_others_are_refused(door: Door, esp32: Esp32) -> None:
    good, bad = esp32.event(), esp32.event(treatment="GOLD")
    answer = door.post(EVENTS, [good, bad, 7, good], esp32.token)
    assert answer.status == 200
    assert [result["ack"] for result in answer.json()["results"]] == [True, False, False, True]
    assert answer.json()["ack"] is False
    assert answer.json()["results"][1]["event_id"] == bad["event_id"]
    assert {"detail", "code"} < set(answer.json()["results"][1])
    assert [row.event_id for row in esp32.events()] == [good["event_id"]]
    assert sorted(QuarantinedEvent.objects.values_list("code", flat=True)) == ["invalid", "not_an_event"]


def test_how_long_a_batch_may_be(door: Door, esp32: Esp32) -> None:
    assert door.post(EVENTS, [esp32.event() for _ in range(500)], esp32.token).json()["ack"] is True
    assert refusal(door.post(EVENTS, [esp32.event() for _ in range(501)], esp32.token)) == (400, "batch_too_long")
    answer = door.post(EVENTS, [], esp32.token)
    assert (answer.status, answer.json()) == (200, {"ack": True, "results": []})
    assert len(esp32.events()) == 500


# --- Quarantine ---


def test_a_refused_event_blocks_until_an_operator_discards_it(door: Door, esp32: Esp32, staff: str) -> None:
    bad = esp32.event(treatment="GOLD")
    for _ in range(3):
        assert door.post(EVENTS, bad, esp32.token).status == 400
    (kept,) = get(door, f"/api/devices/{MAC}/quarantine/", staff).json()["quarantined"]
    assert (kept["retries"], kept["state"], kept["event_id"]) == (2, "open", bad["event_id"])
    path = f"/api/devices/{MAC}/quarantine/{kept['id']}/discard/"
    assert door.post(path, {}, staff).json() == {"status": "discarded", "event_id": None}
    answer = door.post(EVENTS, bad, esp32.token)
    assert (answer.status, answer.json()) == (200, {"ack": True, "event_id": bad["event_id"]})
    assert esp32.events() == []
    assert refusal(door.post(path, {}, staff)) == (409, "already_let_go")


def test_of_very_many_those_that_wait_are_shown(
    door: Door, esp32: Esp32, staff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_views, "MOST_SHOWN", 3)
    for place in range(4):
        assert door.post(EVENTS, esp32.event(treatment="GOLD", event_id=f"e{place}"), esp32.token).status == 400
    path = f"/api/devices/{MAC}/quarantine/"

    def shown() -> dict[str, int]:
        return {one["event_id"]: one["id"] for one in get(door, path, staff).json()["quarantined"]}

    assert list(shown()) == ["e3", "e2", "e1"]
    for name in ("e3", "e1"):
        door.post(f"{path}{shown()[name]}/discard/", {}, staff)
    assert list(shown()) == ["e3", "e2", "e0"]


@pytest.mark.alike
def test_or_accepts_it_corrected(door: Door, esp32: Esp32, staff: str, machine: Machine) -> None:
    bad = esp32.event(treatment="GOLD", counter=9)
    with time_machine.travel(NOON, tick=False):
        door.post(EVENTS, bad, esp32.token)
    number = QuarantinedEvent.objects.get().pk
    path = f"/api/devices/{MAC}/quarantine/{number}/accept/"
    assert refusal(door.post(path, {"event": {"treatment": "SILVER"}}, staff)) == (400, "invalid")
    accepted = door.post(path, {"event": {"treatment": "PREMIUM"}}, staff)
    assert (accepted.status, accepted.json()) == (200, {"status": "accepted", "event_id": bad["event_id"]})
    assert door.post(EVENTS, bad, esp32.token).status == 200
    (row,) = esp32.events()
    assert (row.treatment, row.counter, row.received_at, row.source) == ("PREMIUM", 9, NOON, "operator")
    assert refusal(door.post(f"/api/devices/{MAC}/quarantine/99999/accept/", {"event": {}}, staff)) == (
        404,
        "unknown_quarantined_event",
    )


def test_two_hundred_bodies_of_a_device_are_kept(door: Door, esp32: Esp32) -> None:
    door.post(EVENTS, [{"event_id": f"bad-{number}"} for number in range(205)], esp32.token)
    assert QuarantinedEvent.objects.count() == 200


@pytest.mark.alike
def test_another_devices_quarantine_is_not_the_owners(door: Door, esp32: Esp32) -> None:
    mallory = token_of(User.objects.create_user("mallory"))
    esp32.press("GOLD")
    number = QuarantinedEvent.objects.get().pk
    answer = door.post(f"/api/devices/{MAC}/quarantine/{number}/discard/", {}, mallory)
    assert refusal(answer) == (403, "forbidden")
    assert Credential.objects.count() == 1
