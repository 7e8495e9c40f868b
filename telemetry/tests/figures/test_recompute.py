"""`manage.py recompute_statistics`: counts that are wrong become right, those that are right stay, devices go on."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_gateway.models import Device
from ozone.wire.times import iso
from telemetry.events import recount
from telemetry.events.payloads import read_event
from telemetry.events.recount import recount_some
from telemetry.events.services import redate_some
from telemetry.events.storing import EventArrival, store_events
from telemetry.models import DailyCount, HourlyCount, Machine, MachineDevice, TelemetryEvent
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event, press
from telemetry.treatments import TREATMENTS

Rows = set[tuple[Any, ...]]
COLUMNS = ("device_id", "machine_id", "outlet_id", "starts_at", "basic", "standard", "premium")


def rows() -> tuple[Rows, Rows]:
    """By hour and by day, those that count anything."""
    hours, days = (set(model._default_manager.values_list(*COLUMNS)) for model in (HourlyCount, DailyCount))
    return {row for row in hours if any(row[4:])}, {row for row in days if any(row[4:])}


def run(**options: Any) -> str:
    out = StringIO()
    call_command("recompute_statistics", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def some(site: Site) -> None:
    MachineDevice.objects.update(assigned_date=NOON - 2 * DAY)
    for hours in (0, 1, 1.5, 30, 70):
        press(site.device, NOON - hours * HOUR)
        press(site.other_device, NOON - hours * HOUR, treatment="PREMIUM")


def spoil(device: Device) -> None:
    """A count too high, one missing, and one of nothing."""
    HourlyCount.objects.filter(device_id=device.pk, starts_at=NOON).update(basic=5, standard=1)
    DailyCount.objects.filter(device_id=device.pk, starts_at=NOON - 12 * HOUR).delete()
    HourlyCount.objects.create(device_id=device.pk, machine_id=77, starts_at=NOON - 300 * DAY, basic=2)


def test_it_works(site: Site, some: None, pauses: list[float]) -> None:
    right = rows()
    assert len(right[0]) == 10 and len(right[1]) == 6
    assert run() == "Devices counted anew: 2. Counts that differed: 0.\n"
    spoil(site.device)
    spoil(site.other_device)
    assert rows() != right
    assert run() == "Devices counted anew: 2. Counts that differed: 6.\n"
    assert rows() == right
    assert run() == "Devices counted anew: 2. Counts that differed: 0.\n"
    assert [pause > 0 for pause in pauses] == [False, True] * 3  # before each device but the first


def test_one_device(site: Site, some: None) -> None:
    spoil(site.device)
    spoil(site.other_device)
    assert run(device="esp32-001") == "Devices counted anew: 1. Counts that differed: 3.\n"
    assert run(device=str(site.device.pk)) == "Devices counted anew: 1. Counts that differed: 0.\n"
    assert run() == "Devices counted anew: 2. Counts that differed: 3.\n"
    with pytest.raises(CommandError, match="There is no such device"):
        run(device="esp32-999")


def test_devices_without_either_are_left_alone(site: Site) -> None:
    assert run() == "Devices counted anew: 0. Counts that differed: 0.\n"
    HourlyCount.objects.create(device_id=site.device.pk, starts_at=NOON, basic=2)
    assert run() == "Devices counted anew: 1. Counts that differed: 1.\n"
    assert not HourlyCount.objects.exists()


def test_another_zone(site: Site, some: None) -> None:
    """The counts of the old zone's hours and days are gone; statistics say the same as from the events."""
    before = rows()
    with override_settings(STATS_TIME_ZONE="Asia/Kathmandu"):
        assert run() != "Devices counted anew: 2. Counts that differed: 0.\n"
        assert {row[3].minute for row in HourlyCount.objects.values_list(*COLUMNS)} == {15}
        assert run() == "Devices counted anew: 2. Counts that differed: 0.\n"
        found = site.olga.read("/api/stats/?start=2026-02-26&end=2026-03-01&tz=Asia/Kathmandu")
        assert found["series"]["total"] == [2, 0, 2, 6]
    run()
    assert rows() == before


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_in_stretches_of_whole_days(site: Site, some: None, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(recount, "EVENTS_AT_ONCE", limit)
    right = rows()
    spoil(site.device)
    since: datetime | None = None
    stretches = 0
    while since is not None or not stretches:
        since = recount_some(device=site.device.pk, since=since).until
        assert since is None or since.hour == 0
        stretches += 1
    assert stretches == {1: 3, 2: 2, 3: 2, 4: 2, 5: 1}[limit]
    assert rows() == right


@pytest.mark.django_db
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    presses=st.lists(
        st.tuples(
            st.integers(0, 15),  # which event_id: some are repeats
            st.sampled_from(TREATMENTS),
            st.one_of(st.none(), st.integers(-90, 0), st.just("unset")),  # hours before noon
        ),
        max_size=40,
    ),
    cuts=st.lists(st.integers(1, 9), min_size=1),
    moved=st.integers(-60, -1),
    redated=st.integers(0, 40),
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"]),
)
def test_what_the_devices_wrote_is_right(
    presses: list[Any], cuts: list[int], moved: int, redated: int, zone: str
) -> None:
    with transaction.atomic(), override_settings(STATS_TIME_ZONE=zone):
        device = Device.objects.create(created_at=NOON - 90 * DAY)
        machine = Machine.objects.create(name="new")
        MachineDevice.objects.create(machine=machine, device=device, assigned_date=NOON + moved * HOUR)
        arrivals = []
        for index, (number, treatment, hours) in enumerate(presses):
            ts = iso(NOON + hours * HOUR) if isinstance(hours, int) else hours and "2001-01-01 00:00:00"
            body = {"event_id": str(number), "event": "treatment", "treatment": treatment, "counter": 1, "ts": ts}
            told = read_event(body, device.pk, NOON + timedelta(seconds=index))
            arrivals.append(EventArrival(device.pk, told.received_at, [told]))
        while arrivals:
            size = cuts[len(arrivals) % len(cuts)]
            store_events(connection, arrivals[:size])
            del arrivals[:size]
        while redated and redate_some(device=device.pk, until=NOON + timedelta(seconds=redated)):
            pass
        assert recount_some(device=device.pk, since=None) == (0, None)
        right = rows()
        HourlyCount.objects.update(basic=7)
        DailyCount.objects.all().delete()
        recount_some(device=device.pk, since=None)
        assert rows() == right
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_while_the_device_goes_on() -> None:
    device = Device.objects.create(created_at=NOON - 90 * DAY)
    first = [event(device, NOON - number * HOUR) for number in range(200)]
    store_in_one(first)
    HourlyCount.objects.update(basic=9)
    done = threading.Event()

    def go_on() -> None:
        try:
            for number in range(60):
                store_in_one([event(device, NOON - number * HOUR, treatment="STANDARD")])
        finally:
            connection.close()
            done.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    while not done.is_set():
        recount_some(device=device.pk, since=None)
    thread.join()
    assert recount_some(device=device.pk, since=None).rows == 0
    assert TelemetryEvent.objects.count() == 260
    for model in (HourlyCount, DailyCount):
        numbers: Counter[str] = Counter()
        for basic, standard in model._default_manager.values_list("basic", "standard"):
            numbers.update(basic=basic, standard=standard)
        assert numbers == {"basic": 200, "standard": 60}


def store_in_one(events: list[Any]) -> None:
    with transaction.atomic():
        store_events(connection, [EventArrival(told.device_id, told.received_at, [told]) for told in events])
