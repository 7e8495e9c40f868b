"""Whatever order, batches and repeats events arrive in: each once, and the counts are a plain count of the rows."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_gateway.models import Device
from ozone.wire.times import iso
from telemetry.events.payloads import read_event
from telemetry.events.services import redate_some
from telemetry.events.storing import EventArrival, store_events
from telemetry.figures.rollups import starts
from telemetry.models import DailyCount, HourlyCount, Machine, MachineDevice, TelemetryEvent
from telemetry.tests.conftest import NOON
from telemetry.treatments import TREATMENTS

PRESSES = st.lists(
    st.tuples(
        st.integers(0, 1),  # which device
        st.integers(0, 15),  # which event_id
        st.sampled_from(TREATMENTS),
        st.integers(0, 99),  # counter
        st.one_of(st.none(), st.integers(-80, 0), st.just("unset")),  # hours before noon
    ),
    max_size=40,
)


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(presses=PRESSES, cuts=st.lists(st.integers(1, 9), min_size=1), moved=st.integers(-60, -1), redate=st.booleans())
def test_each_once_and_the_counts_agree(presses: list[Any], cuts: list[int], moved: int, redate: bool) -> None:
    with transaction.atomic():
        devices = [Device.objects.create(created_at=NOON - timedelta(days=90)) for _ in range(2)]
        machines = [Machine.objects.create(name=name) for name in ("old", "new")]
        change = NOON + timedelta(hours=moved)
        past = {"is_active": False, "assigned_date": NOON - timedelta(days=90), "deactivated_date": change}
        MachineDevice.objects.create(machine=machines[0], device=devices[0], **past)
        MachineDevice.objects.create(machine=machines[1], device=devices[0], assigned_date=change)
        firsts: dict[tuple[int, str], tuple[str, int]] = {}
        arrivals = []
        for index, (which, number, treatment, counter, hours) in enumerate(presses):
            words = {None: None, "unset": "2001-01-01 00:00:00"}.get(hours) if not isinstance(hours, int) else hours
            ts = iso(NOON + timedelta(hours=words)) if isinstance(words, int) else words
            body = {"event_id": str(number), "event": "treatment", "treatment": treatment, "counter": counter, "ts": ts}
            event = read_event(body, devices[which].pk, NOON + timedelta(seconds=index))
            firsts.setdefault((event.device_id, event.event_id), (treatment, counter))
            arrivals.append(EventArrival(event.device_id, event.received_at, [event]))
        while arrivals:
            size = cuts[len(arrivals) % len(cuts)]
            store_events(connection, arrivals[:size])
            del arrivals[:size]
        if redate:
            while redate_some(device=devices[0].pk, until=None):
                pass
        rows = list(TelemetryEvent.objects.all())
        assert {(row.device_id, row.event_id): (row.treatment, row.counter) for row in rows} == firsts
        assert len(rows) == len(firsts)
        for row in rows:
            at = row.received_at if row.clock_suspect else row.occurred_at
            machine = machines[at >= change].pk if row.device_id == devices[0].pk else None
            assert row.machine_id == machine
        for model, place in ((HourlyCount, 0), (DailyCount, 1)):
            counted: Counter[Any] = Counter()
            for row in rows:
                counted[row.device_id, row.machine_id or 0, starts(row.occurred_at)[place], row.treatment] += 1
            kept: Counter[Any] = Counter()
            for count in model._default_manager.all():
                for treatment in TREATMENTS:
                    number = getattr(count, treatment.lower())
                    assert number >= 0
                    kept[count.device_id, count.machine_id, count.starts_at, treatment] += number
            assert +kept == counted
        transaction.set_rollback(True)
