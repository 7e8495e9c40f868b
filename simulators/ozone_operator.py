"""The person behind simulated Ozone machines: assigns, renames and commands them, and rules on what was refused.

The operator's own network is honest. What it knows of a machine it learns from the server, but for the first name: a
new machine calls itself by its MAC.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx

from simulators.client import Endpoint
from simulators.ozone_machine import LONGEST_DELAY, Machine
from simulators.ozone_records import OzoneOptions, Records
from simulators.staff import CALLS_AT_ONCE, SimulationError, Staff, sentence, some_at_once
from simulators.staff import field as member

TYPES = (
    "GET_STATUS",
    "RESET_COUNTERS",
    "CLEAR_MEMORY",
    "REBOOT_DEVICE",
    "SYNC_TIME",
    "UPDATE_SETTINGS",
    "UPDATE_FIRMWARE",
    "CLEAR_QUEUE",
)
PRIORITIES = ("low", "normal", "high", "critical")
COMMANDS_EACH = 2  # commands to each machine, besides one GET_STATUS to all at once
MACHINES_PER_OUTLET = 10
RENAMED_AT_FIRST, RENAMED_LATER = 4, 5  # one machine in so many
BULK = 1000
EVENTS_PAGE = 1000
GLANCE_SECONDS = 1.0  # between two looks at what may have changed


@dataclass(slots=True)
class Shown:
    """What the server shows of one machine at the end."""

    events: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)  # of commands, by command_id
    unended: int = 0  # commands pending or sent
    ledger: list[dict[str, Any]] = field(default_factory=list)  # lines, with their treatments


class Operator:
    """Staff at work on the machines of one run."""

    def __init__(self, staff: Staff, machines: list[Machine], options: OzoneOptions, records: Records) -> None:
        self.staff = staff
        self.machines = machines
        self.assigned: set[int] = set()  # numbers of machines
        self.rulings = 0
        self.created: defaultdict[int, dict[str, str]] = defaultdict(dict)  # machine → command_id → type
        self._options = options
        self._records = records
        self._chance = random.Random(options.seed)
        self._run = f"{random.SystemRandom().getrandbits(32):08x}"

    # --- setting up ---

    async def assign_all(self) -> None:
        """Give every machine an outlet as soon as it has shown itself. Raises SimulationError when one never does."""
        outlets = []
        for number in range(-(-len(self.machines) // MACHINES_PER_OUTLET)):
            reply = await self.staff.call(
                "POST", "/api/outlets/", json={"name": f"Simulated outlet {self._run}-{number}", "is_active": True}
            )
            if reply.status_code == 404:
                break  # a server without outlets: its devices are assigned as they are
            outlets.append(int(member(_expect(reply, 201, "An outlet could not be made"), "id")))
        gate = asyncio.Semaphore(CALLS_AT_ONCE)  # of calls: machines are waited for all at once
        await some_at_once((self._assign(machine, outlets, gate) for machine in self.machines), len(self.machines))

    async def _assign(self, machine: Machine, outlets: list[int], gate: asyncio.Semaphore) -> None:
        patience = 60 + (3 * self._options.poll_seconds + 1.2 * LONGEST_DELAY) / self._options.time_scale
        try:
            await asyncio.wait_for(machine.enrolled.wait(), patience)
        except TimeoutError:
            raise SimulationError(f"Machine {machine.mac} got no token within {patience:.0f} s.") from None
        async with gate:
            await self._bind(machine, outlets)
            self.assigned.add(machine.number)
            if machine.number % RENAMED_AT_FIRST == 0:
                await self._rename(machine, "a")

    async def _bind(self, machine: Machine, outlets: list[int]) -> None:
        if outlets:
            body = {
                "device_id": machine.mac,
                "outlet_id": outlets[machine.number % len(outlets)],
                "name": f"SIM/{self._run}/{machine.number:05}",
            }
            reply = await self.staff.call("POST", "/api/machines/register/", json=body)
            if reply.status_code != 409:  # asked again after a lost reply: it is bound already
                _expect(reply, 201, f"Machine {machine.mac} could not be registered")
        else:
            reply = await self.staff.call("PATCH", f"/api/devices/{machine.mac}/", json={"assigned": True})
            _expect(reply, 200, f"Machine {machine.mac} could not be assigned")

    async def _rename(self, machine: Machine, mark: str) -> None:
        name = f"sim-{self._run}-{machine.number:05}{mark}"
        reply = await self.staff.call("PATCH", f"/api/devices/{machine.known_as}/", json={"device_id": name})
        _expect(reply, 200, f"{machine.known_as} could not be renamed")
        machine.known_as = name

    # --- while they work ---

    async def work(self) -> None:
        """Commands of every type, and new names, spread over the first four fifths of the run; to machines that are
        assigned by then."""
        seconds = self._options.seconds * 0.8
        kinds = itertools.cycle(TYPES)
        turns = [(machine, next(kinds)) for _ in range(COMMANDS_EACH) for machine in self._shuffled()]
        renamed = {turn for turn, (machine, _) in enumerate(turns) if machine.number % RENAMED_LATER == 1}
        began = time.monotonic()
        for turn, (machine, kind) in enumerate(turns):
            await asyncio.sleep(began + seconds * (turn + 1) / len(turns) - time.monotonic())
            if machine.number not in self.assigned:
                continue  # the server may not know it yet
            await self._command(machine, kind)
            if turn in renamed:
                await self._rename(machine, f"b{turn}")
            if turn == len(turns) // 2:
                await self._command_all("GET_STATUS")

    def _shuffled(self) -> list[Machine]:
        return self._chance.sample(self.machines, len(self.machines))

    async def _command(self, machine: Machine, kind: str) -> None:
        body = {"command_type": kind, "priority": self._chance.choice(PRIORITIES), "description": "simulated"}
        reply = await self.staff.call("POST", f"/api/device/{machine.known_as}/commands/create/", json=body)
        _expect(reply, 201, f"{machine.known_as} could not be sent {kind}")
        self.created[machine.number][str(member(reply, "command_id"))] = kind

    async def _command_all(self, kind: str) -> None:
        for first in range(0, len(self.machines), BULK):
            some = {
                machine.known_as: machine
                for machine in self.machines[first : first + BULK]
                if machine.number in self.assigned
            }
            body = {"device_ids": list(some), "command_type": kind}
            reply = _expect(await self.staff.call("POST", "/api/commands/bulk/", json=body), 201, "No bulk command")
            for made in member(reply, "created_commands"):
                self.created[some[made["device_id"]].number][str(made["command_id"])] = kind
            if member(reply, "failed_count"):
                raise SimulationError(f"A bulk command missed machines: {member(reply, 'failed_devices')}.")

    async def rule_on_refused(self) -> None:
        """Look at the quarantine of every machine that was refused an event, and let the event go; until cancelled."""
        while True:
            await asyncio.sleep(GLANCE_SECONDS / self._options.time_scale)
            while self._records.blocked:
                await self._rule(self.machines[self._records.blocked.pop()])

    async def _rule(self, machine: Machine) -> None:
        presses = {press.event_id: press for press in machine.queue if press.spoiled}
        for row in await self.quarantine(machine):
            event = json.loads(row["body"])
            press = presses.get(event.get("event_id"))
            if row["state"] != "open" or press is None:
                continue  # a good event that was refused stays, and fails the run
            if not press.ruling:
                press.ruling = ("discarded", "accepted")[self.rulings % 2]
                self.rulings += 1
            verb, body = ("discard", None)
            if press.ruling == "accepted":
                verb, body = "accept", {"event": {**event, "treatment": press.treatment}}
            path = f"/api/devices/{machine.known_as}/quarantine/{row['id']}/{verb}/"
            reply = await self.staff.call("POST", path, json=body)
            if reply.status_code != 409:  # asked again after a lost reply: it is gone already
                _expect(reply, 200, f"A refused event of {machine.known_as} could not be {press.ruling}")

    # --- looking ---

    async def commands_end(self, deadline: float) -> None:
        """Return when no command of any machine is pending or sent, or at the deadline (monotonic)."""
        waiting = list(self.machines)
        while waiting and time.monotonic() < deadline:
            shown = await some_at_once(self._commands(machine) for machine in waiting)
            waiting = [machine for machine, (unended, _) in zip(waiting, shown, strict=True) if unended]
            await asyncio.sleep(GLANCE_SECONDS)

    async def _commands(self, machine: Machine) -> tuple[int, dict[str, str]]:
        """How many have not ended; the state of the newest ten by command_id."""
        what = f"The commands of {machine.known_as} could not be read"
        reply = _expect(await self.staff.call("GET", f"/api/device/{machine.known_as}/commands/status/"), 200, what)
        states = {str(row["command_id"]): str(row["status"]) for row in member(reply, "recent_commands")}
        return member(reply, "stats", "pending") + member(reply, "stats", "sent"), states

    async def quarantine(self, machine: Machine) -> list[dict[str, Any]]:
        what = f"The quarantine of {machine.known_as} could not be read"
        reply = _expect(await self.staff.call("GET", f"/api/devices/{machine.known_as}/quarantine/"), 200, what)
        return list(member(reply, "quarantined"))

    async def counts(self, machine: Machine) -> dict[str, Any]:
        """The machine's counters as the server shows them."""
        what = f"The summary of {machine.known_as} could not be read"
        path = f"/api/telemetry/summary/?device_id={machine.known_as}"
        return dict(member(_expect(await self.staff.call("GET", path), 200, what), "counts"))

    async def look_at(self, machine: Machine) -> Shown:
        """All that the server shows of the machine."""
        unended, outcomes = await self._commands(machine)
        return Shown(
            await self._events(machine),
            await self.counts(machine),
            await self.quarantine(machine),
            outcomes,
            unended,
            await self.lines(machine) if self._options.withhold else [],
        )

    async def lines(self, machine: Machine) -> list[dict[str, Any]]:
        """What the ledger cannot explain."""
        what = f"The ledger of {machine.known_as} could not be read"
        while True:
            reply = await self.staff.call("GET", f"/api/ledger/?device_id={machine.known_as}&limit=5000")
            if not member(_expect(reply, 200, what), "devices_pending"):
                break
            await asyncio.sleep(GLANCE_SECONDS)
        epochs = member(reply, "epochs")
        return [{**line, "treatment": epoch["treatment"]} for epoch in epochs for line in epoch["lines"]]

    async def _events(self, machine: Machine) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        path: str | None = f"/api/events/?device_id={machine.known_as}&days=2&limit={EVENTS_PAGE}"
        while path:
            reply = await self.staff.call("GET", path)
            page = _expect(reply, 200, f"The events of {machine.known_as} could not be read").json()
            events += page
            following = reply.links.get("next", {}).get("url")
            path = _path(self._options.endpoint, following) if following and page else None
        return events


def _path(endpoint: Endpoint, url: str) -> str:
    """Only the path of a link is used: the access token goes nowhere but to the endpoint."""
    return httpx.URL(url).raw_path.decode("ascii").removeprefix(endpoint.prefix)


def _expect(reply: httpx.Response, status: int, otherwise: str) -> httpx.Response:
    """The reply, if it has that status. Raises SimulationError with what the server says."""
    if reply.status_code != status:
        raise SimulationError(f"{otherwise}: {sentence(reply)}")
    return reply
