"""A hundred machines poll and press over a hostile network, and some are truly dead for a while: of each of those
people hear once that it began and once that it ended, of an outlet in one alert, and of nobody else.

By night only. A silence of five minutes stands for the usual hour. What ends and comes again within an hour is
one incident, so each outlet has one story; alerts/tests/runner/test_month.py has months of them.
"""

import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

import pytest
from django.utils import timezone

from alerts.conditions.models import Beat
from alerts.conditions.silence import NOTHING_HEARD, OUTLET_SILENT, SAME_MINUTE, SILENT
from alerts.incidents.models import Incident
from alerts.tests.fleet import Fleet
from alerts.tests.killing import Commands
from bench.ports import free_port
from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device
from simulators.client import Endpoint, NoAnswer
from simulators.network import Network, Weather
from telemetry.models import TelemetryEvent
from tests.support.length import IS_LONG
from tests.support.sinks import until

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not IS_LONG, reason="a hundred machines for twenty minutes by night only"),
]

OUTLETS, MACHINES, SECONDS = 20, 5, 1200.0
THRESHOLD: Final = timedelta(minutes=5)
LATE: Final = timedelta(seconds=60)
"""How much later than that people may be told."""
POLL: Final = 3.0
TIMEOUT: Final = 5.0
WELL, AWAY, ONE_DEAD, ALL_DEAD = range(4)
"""What becomes of an outlet; `AWAY`: all of it for a third of the threshold, of which nobody is to hear."""
STRAY: Final = timedelta(seconds=15)
"""After a death a request of before may still arrive; and before it some are lost."""


class Story(NamedTuple):
    """Seconds from the beginning; `devices`: places at the outlet."""

    kind: int
    devices: range
    dies: float
    lives: float


class Machine:
    """One that polls, and presses now and then; each press is sent until it is acknowledged."""

    def __init__(self, device: Device, key: str, endpoint: Endpoint, weather: Weather) -> None:
        self._name, self._key, self._endpoint = str(device.device_id), key, endpoint
        self._chance = Random(device.pk)
        self._network = Network(endpoint, self._chance, weather, timeout=TIMEOUT, overheard=lambda _: None)
        self._queue: list[bytes] = []
        self.presses = 0

    async def live(self, began: float, dead: tuple[float, float] | None) -> None:
        await asyncio.sleep(self._chance.uniform(0, POLL))
        while (past := time.monotonic() - began) < SECONDS:
            if dead is not None and dead[0] <= past < dead[1]:
                self._network.close()
                await asyncio.sleep(dead[1] - past)
            if self._chance.random() < 0.1:
                self._press()
            await self._ask(self._endpoint.get(f"/api/device/{self._name}/commands/", bearer=self._key))
            await self._empty()
            await asyncio.sleep(POLL)
        for _ in range(50):
            await self._empty()
        await self._network.settled()
        self._network.close()

    def _press(self) -> None:
        self.presses += 1
        said = {"event_id": f"{self._name}-{self.presses}", "event": "treatment", "treatment": "BASIC"}
        body = json.dumps({**said, "counter": self.presses, "ts": f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}"})
        self._queue.append(self._endpoint.post("/api/device/events/", body.encode(), bearer=self._key))

    async def _empty(self) -> None:
        while self._queue and await self._ask(self._queue[0]):
            self._queue.pop(0)

    async def _ask(self, request: bytes) -> bool:
        try:
            return (await self._network.exchange(request)).status == 200
        except NoAnswer:
            return False


def stories(chance: Random) -> list[Story]:
    made = []
    for outlet in range(OUTLETS):
        kind = (WELL, ONE_DEAD, AWAY, ALL_DEAD)[outlet % 4]
        silent = THRESHOLD.total_seconds()
        lasts = silent / 3 if kind == AWAY else silent + chance.uniform(80, 120)
        one = chance.randrange(MACHINES)
        dies = chance.uniform(20, SECONDS - lasts - 40)
        made.append(Story(kind, range(one, one + 1) if kind == ONE_DEAD else range(MACHINES), dies, dies + lasts))
    return made


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A server with its runner on the tests' database."""
    port = free_port()
    for name, value in {
        "ALLOW_PLAIN_HTTP": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "STATUS_ONLINE_SECONDS": "30",
        "STATUS_IDLE_SECONDS": str(int(THRESHOLD.total_seconds())),
    }.items():
        monkeypatch.setenv(name, value)
    with closing(Commands(["serve"])) as commands:
        commands.start()
        until(lambda: Beat.objects.exists() and is_answering(port), 120)
        yield Endpoint.parse(f"http://127.0.0.1:{port}")


def is_answering(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def day(machines: list[Machine], told: list[Story]) -> float:
    """Until all is over, and what has ended has been told; the wall clock's time at its beginning."""
    wall, began = time.time(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, machine in enumerate(machines):
            story = told[number // MACHINES]
            is_dead = story.kind != WELL and number % MACHINES in story.devices
            group.create_task(machine.live(began, (story.dies, story.lives) if is_dead else None))
    return wall


def test_the_dead_are_told_once_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    some = Fleet(*[MACHINES] * OUTLETS, start=now)
    told = stories(Random(16))
    with closing(some), served(monkeypatch) as endpoint:
        machines = []
        for device in some.devices:
            key = f"key-of-{device.device_id}"
            set_key(device=device, key=key, source=Credential.Source.CLAIM, now=now)
            machines.append(Machine(device, key, endpoint, Weather(hostile=True)))
        began = datetime.fromtimestamp(asyncio.run(day(machines, told)), now.tzinfo)
    pressed = sum(machine.presses for machine in machines)
    found = Incident.objects.filter(kind__in=[SILENT, OUTLET_SILENT, NOTHING_HEARD], told_at__isnull=False)
    by_title = {one.title: one for one in found}
    wanted = {title_of(outlet, story): story for outlet, story in enumerate(told) if story.kind in (ONE_DEAD, ALL_DEAD)}
    print(f"{len(machines)} machines, {pressed} presses, {found.count()} told, {len(wanted)} wanted")
    assert sorted(one.title for one in found) == sorted(wanted)
    for title, story in wanted.items():
        check(by_title[title], story, began)
    assert TelemetryEvent.objects.count() == pressed > len(machines)


def title_of(outlet: int, story: Story) -> str:
    if story.kind == ALL_DEAD:
        return f"Outlet silent: Outlet {outlet}"
    return f"Silent: m{outlet}-{story.devices[0]} at Outlet {outlet}"


def check(incident: Any, story: Story, began: datetime) -> None:
    dies, lives = (began + timedelta(seconds=at) for at in (story.dies, story.lives))
    assert incident.times == 1
    assert abs(incident.since - dies) < STRAY, (incident.title, incident.since, dies)
    # Of an outlet `since` is when the last one was heard, and it is told when the first one's time is over.
    least = THRESHOLD if story.kind == ONE_DEAD else THRESHOLD - SAME_MINUTE
    assert least <= incident.opened_at - incident.since <= THRESHOLD + LATE, incident.title
    assert incident.ended_at is not None, incident.title
    assert lives <= incident.ended_at <= lives + LATE, (incident.title, incident.ended_at, lives)
