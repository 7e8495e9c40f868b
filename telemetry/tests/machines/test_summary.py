"""GET /api/telemetry/summary/ and /api/telemetry/latest/: what one device last told."""

from typing import Any

import pytest
import time_machine

from device_gateway.models import Device, DeviceState
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import Meter, equip, get, refusal
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, bearer, counters, press
from telemetry.tests.conftest import Esp32
from tests.support.doors import Door

SUMMARY, LATEST = PATHS = ("/api/telemetry/summary/", "/api/telemetry/latest/")


class TestSummary:
    def test_it_works(self, site: Site) -> None:
        DeviceState.objects.filter(device=site.device).update(last_seen=NOON - SECOND, last_poll=NOON - HOUR)
        press(
            site.device,
            NOON,
            treatment="PREMIUM",
            current_counters=counters(4, 5, 6),
            wifi_connected=True,
            rtc_available=False,
            sd_available=True,
            uptime_seconds=86400,
            reset_reason="POWERON",
            rssi=-61,
            free_heap=181204,
            queue_length=3,
            ts="2026-03-01 12:00:00",
        )
        with time_machine.travel(NOON, tick=False):
            summary = site.olga.read(f"{SUMMARY}?device_id=esp32-001")
        assert summary == {
            "device_id": "esp32-001",
            "mode": "PREMIUM",
            "counts": counters(4, 5, 6),
            "on_time": None,
            "status": "idle",
            "last_seen": "2026-03-01T11:59:59Z",
            "last_poll": "2026-03-01T11:00:00Z",
            "last_heard": "2026-03-01T11:59:59Z",
            "wifi_connected": True,
            "rtc_available": False,
            "sd_card_available": True,
            "uptime_seconds": 86400,
            "device_timestamp": "2026-03-01 12:00:00",
            "reset_reason": "POWERON",
            "rssi": -61,
            "free_heap": 181204,
            "queue_length": 3,
            "vitals_at": "2026-03-01T12:00:00Z",
        }

    def test_a_device_that_has_told_nothing(self, site: Site) -> None:
        Device.objects.create(device_id="esp32-003")
        assert site.olga.read(f"{SUMMARY}?device_id=esp32-003") == {
            "device_id": "esp32-003",
            "mode": None,
            "counts": counters(0, 0, 0),
            "on_time": None,
            "status": "offline",
            "last_seen": None,
            "last_poll": None,
            "last_heard": None,
            "wifi_connected": None,
            "rtc_available": None,
            "sd_card_available": None,
            "uptime_seconds": None,
            "device_timestamp": None,
            "reset_reason": None,
            "rssi": None,
            "free_heap": None,
            "queue_length": None,
            "vitals_at": None,
        }

    def test_a_legacy_device(self, door: Door, staff: str, stranger: Esp32, settings: Any) -> None:
        settings.LEGACY_INGEST = "on"
        form = f"mode=STANDARD&macaddr={stranger.mac}&type1=10&type2=20&type3=30&count1=1&count2=2&count3=3"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert door.send("POST", "/api/iot/", form.encode(), headers).status == 200
        summary = get(door, f"{SUMMARY}?device_id={stranger.mac}", staff).json()
        assert (summary["mode"], summary["on_time"], summary["counts"], summary["status"]) == (
            "STANDARD",
            [10, 20, 30],
            counters(1, 2, 3),
            "online",
        )


@pytest.mark.alike
class TestLatest:
    def test_an_event(self, site: Site) -> None:
        MachineDevice.objects.update(assigned_date=NOON - 30 * DAY)
        press(site.device, NOON, event_id="a")
        stored = press(site.device, NOON - HOUR, received_at=NOON + SECOND, event_id="late")
        latest = site.olga.read(f"{LATEST}?device_id=esp32-001")
        assert (latest["id"], latest["event_id"]) == (stored.pk, "late")
        assert latest == site.olga.read(f"/api/events/{stored.pk}/")

    def test_a_reading(self, door: Door, staff: str, write_path: None) -> None:
        meter = equip(Device.objects.create(device_id="meter"))
        meter.send(door, {"voltage": 228.4, "timestamp": "2026-03-01T12:00:00Z"})
        state = DeviceState.objects.get()
        assert state.latest_received_at
        assert get(door, f"{LATEST}?device_id=meter", staff).json() == {
            "device_id": "meter",
            "occurred_at": "2026-03-01T12:00:00Z",
            "received_at": state.latest_received_at.isoformat().replace("+00:00", "Z"),
            "payload": {"voltage": 228.4, "timestamp": "2026-03-01T12:00:00Z"},
        }

    def test_whichever_arrived_last(self, door: Door, staff: str, esp32: Esp32) -> None:
        meter = Meter(esp32.device, esp32.token)
        path = f"{LATEST}?device_id={esp32.mac}"
        assert meter.send(door, {"n": 1}).status == 201
        assert esp32.press(event_id="a").status == 200
        assert get(door, path, staff).json()["event_id"] == "a"
        assert meter.send(door, {"n": 2}).status == 201
        assert get(door, path, staff).json()["payload"] == {"n": 2}

    def test_nothing(self, site: Site) -> None:
        assert refusal(site.olga.get(f"{LATEST}?device_id=esp32-001")) == (404, "no_telemetry")


@pytest.mark.parametrize("path", PATHS)
class TestWhich:
    def test_any_name_of_the_device(self, site: Site, path: str) -> None:
        change_device(device=site.device, fields={"device_id": "bay-1", "mac": "EC:E3:34:46:2B:C0"})
        press(site.device, NOON)
        for name in ("bay-1", "esp32-001", "ece334462bc0", str(site.device.pk)):
            assert site.olga.read(f"{path}?device_id={name}")["device_id"] == "bay-1"

    @pytest.mark.parametrize("query", ["", "?device_id="])
    def test_one_is_needed(self, site: Site, path: str, query: str) -> None:
        answer = site.olga.get(path + query)
        assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["device_id"])

    @pytest.mark.each_case
    @pytest.mark.parametrize("name", ["esp32-009", "999999", "9" * 30, "%00"])
    def test_an_unknown_one(self, site: Site, path: str, name: str) -> None:
        assert refusal(site.olga.get(f"{path}?device_id={name}")) == (404, "unknown_device")

    @pytest.mark.alike
    def test_who(self, site: Site, path: str) -> None:
        press(site.device, NOON)
        press(site.other_device, NOON)
        assert site.vera.get(f"{path}?device_id=esp32-001").status == 200
        assert refusal(site.vera.get(f"{path}?device_id=esp32-002")) == (404, "unknown_device")
        assert refusal(site.mallory.get(f"{path}?device_id=esp32-001")) == (404, "unknown_device")
        assert refusal(site.nobody.get(f"{path}?device_id=esp32-001")) == (401, "signed_out")
        archive_device(device=site.device, now=NOON)
        assert refusal(site.olga.get(f"{path}?device_id=esp32-001")) == (404, "unknown_device")

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.both_doors
    def test_both_doors_and_both_paths(self, door: Door, staff: str, path: str, slash: str) -> None:
        path = path.rstrip("/") + slash
        assert door.send("GET", path, headers=bearer(staff)).status == 400
        wrong = door.send("POST", path, b"{}", bearer(staff))
        assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")
