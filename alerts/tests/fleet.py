"""A fleet with known truth: devices are heard by writing when they were, as the writer does, and time is given."""

import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from alerts.incidents.happening import ESCALATED, Happening, announcing
from alerts.runner.passing import Passing
from device_gateway.models import Device, DeviceState
from device_gateway.states import Told, store_states
from telemetry.models import Machine, MachineDevice, Outlet

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
IDLE: Final = 10 * MINUTE
"""After which a device of these tests is silent."""
DAY: Final = timedelta(days=1)


class Fleet:
    """Outlets of so many machines each; all that was announced; and the time, which goes on by passes.

    `truth` is the real time; the server's clock may be wrong by `off`.
    """

    def __init__(self, *machines: int, start: datetime = NOON) -> None:
        self.truth = start
        self.off = timedelta(0)
        self._began = start
        self.runner = Passing(pace=0)
        self.told: list[tuple[str, str, datetime]] = []
        """What was announced: type, title, real time."""
        announcing.append(self._hear)
        self.failures: list[Exception] = []
        self.outlets: list[Outlet] = []
        self.devices: list[Device] = []
        self.places: dict[int, int] = {}
        for place, number in enumerate(machines):
            self.add_outlet(place, number)
        self.hear(self.devices)

    def close(self) -> None:
        announcing.remove(self._hear)

    def _hear(self, happenings: Sequence[Happening]) -> None:
        self.told += [(happening.type, happening.incident.title, self.truth) for happening in happenings]

    @property
    def now(self) -> datetime:
        """By the server's clock."""
        return self.truth + self.off

    def add_outlet(self, place: int, number: int) -> None:
        outlet = Outlet.objects.create(name=f"Outlet {place}")
        self.outlets.append(outlet)
        names = [f"m{place}-{at}" for at in range(number)]
        made = Device.objects.bulk_create(
            [Device(device_id=name, name=name, assigned=True, created_at=self.truth) for name in names]
        )
        DeviceState.objects.bulk_create([DeviceState(device=device) for device in made])
        machines = Machine.objects.bulk_create(
            [Machine(name=name, outlet=outlet, device=device) for name, device in zip(names, made, strict=True)]
        )
        MachineDevice.objects.bulk_create(
            [
                MachineDevice(machine=machine, device=device, outlet=outlet, assigned_date=self.truth - 30 * DAY)
                for machine, device in zip(machines, made, strict=True)
            ]
        )
        self.devices += made
        self.places |= {device.pk: place for device in made}

    def hear(self, devices: Iterable[Device]) -> None:
        """They poll now."""
        store_states(connection, [Told(device.pk, polled_at=self.now) for device in devices])

    def look(self) -> None:
        """Until nothing is left to do now."""
        monotonic = (self.truth - self._began).total_seconds()
        while self.runner(self.now, monotonic):
            pass

    def go_on(self, span: timedelta, *, without: Iterable[Device] = (), step: timedelta = MINUTE) -> None:
        """Polls and passes once a minute, but for devices that are dead."""
        dead = {device.pk for device in without}
        until = self.truth + span
        while self.truth < until:
            self.truth += step
            self.hear([device for device in self.devices if device.pk not in dead])
            self.look()

    def go_on_by(self, runners: Sequence[Passing], minutes: int, dead: Sequence[Device]) -> None:
        """As go_on, by several runners at once, each with a connection of its own; what ends one is over with it."""
        numbers = {device.pk for device in dead}
        for _ in range(minutes):
            self.truth += MINUTE
            self.hear([device for device in self.devices if device.pk not in numbers])
            threads = [threading.Thread(target=self._run, args=(runner,)) for runner in runners]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _run(self, runner: Passing) -> None:
        try:
            while runner(self.now, (self.truth - self._began).total_seconds()):
                pass
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()

    def announced(self) -> list[tuple[str, str]]:
        """But for escalations, which have tests of their own."""
        return [(kind.removeprefix("incident."), title) for kind, title, _ in self.told if kind != ESCALATED]
