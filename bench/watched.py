"""`python -m bench.watched COUNT`: gives the first COUNT devices of the database of DATABASE_URL machines at outlets of
ten, as if all were heard in their turn for the last hour. `python -m bench.watched look` then measures passes of the
runner: printed as JSON are `idle_ms` and `idle_cpu`, milliseconds of one over nothing due, `worst_cpu`, of the longest
step of a round of all conditions, and `round_cpu`, seconds of the whole.
"""

import json
import os
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

import django

AT_AN_OUTLET = 10
BUSY, DAYS, OPEN = 500, 28, 12
"""Machines that sold something in twelve hours of each of the last 28 days: what is usual is worked out of them."""
IDLE = 200
"""Passes."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    if sys.argv[1] == "look":
        json.dump(look(), sys.stdout)
    else:
        place(int(sys.argv[1]))


def place(count: int) -> None:
    """Each is due within the hour that comes, one after the other."""
    from django.utils import timezone

    from alerts.conditions.models import Watch
    from device_gateway.models import Device, DeviceState
    from telemetry.models import HourlyCount, Machine, MachineDevice, Outlet

    now = timezone.now()
    hour = timedelta(hours=1)
    numbers = list(Device.objects.order_by("pk").values_list("pk", flat=True)[:count])
    outlets = Outlet.objects.bulk_create(Outlet(name=f"Outlet {at}") for at in range(-(-count // AT_AN_OUTLET)))
    machines = Machine.objects.bulk_create(
        (
            Machine(name=f"Machine {at}", outlet=outlets[at // AT_AN_OUTLET], device_id=pk)
            for at, pk in enumerate(numbers)
        ),
        batch_size=2_000,
    )
    MachineDevice.objects.bulk_create(
        (
            MachineDevice(machine=one, device_id=pk, outlet_id=one.outlet_id, assigned_date=now - 24 * hour)
            for one, pk in zip(machines, numbers, strict=True)
        ),
        batch_size=2_000,
    )
    starts = now.replace(minute=0, second=0, microsecond=0) - 24 * (DAYS + 1) * hour
    HourlyCount.objects.bulk_create(
        (
            HourlyCount(
                device_id=pk, machine_id=one.pk, outlet_id=one.outlet_id or 0, starts_at=starts + at * hour, basic=2
            )
            for one, pk in list(zip(machines, numbers, strict=True))[:BUSY]
            for at in range(24 * DAYS)
            if at % 24 < OPEN
        ),
        batch_size=2_000,
    )
    DeviceState.objects.filter(device__in=Device.objects.all()).update(last_poll=now, last_seen=now)
    Watch.objects.bulk_create(
        (Watch(device_id=pk, alert_after=now + hour * at / count) for at, pk in enumerate(numbers)),
        batch_size=2_000,
        update_conflicts=True,
        unique_fields=["device"],
        update_fields=["alert_after"],
    )


def look() -> dict[str, Any]:
    """By time that is given: the first round looks at everything, the passes after it at nothing."""
    from django.db.models import Max
    from django.utils import timezone

    from alerts.conditions.models import Watch
    from alerts.runner.passing import Passing
    from device_gateway.models import DeviceState

    newest = DeviceState.objects.aggregate(at=Max("last_poll"))["at"] or timezone.now()
    start = newest + timedelta(seconds=1)
    runner, worst, whole, second = Passing(pace=0), 0.0, 0.0, 0.0
    has_more = True
    while has_more:
        began = time.thread_time()
        has_more = runner(start, second)
        spent = time.thread_time() - began
        worst, whole = max(worst, spent), whole + spent
    Watch.objects.update(alert_after=start + timedelta(hours=1))
    walls, cpus = [], []
    for number in range(IDLE):
        second = number * 0.01  # before anything of its own is due again
        wall, cpu = time.perf_counter(), time.thread_time()
        runner(start + timedelta(seconds=second), second)
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.thread_time() - cpu))
    return {
        "idle_ms": statistics.median(walls),
        "idle_cpu": statistics.median(cpus),
        "worst_cpu": 1e3 * worst,
        "round_cpu": whole,
    }


if __name__ == "__main__":
    main()
