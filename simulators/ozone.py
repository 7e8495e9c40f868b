"""A fleet of Ozone machines against a running server: set up, press, drain, and the verdict.

While it presses, a hostile network cuts, loses, doubles and delays, machines lose their power, and the server may go
away. Then presses stop and the network becomes honest: every queue must empty and every command end, within a bound.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape

from simulators.network import Weather
from simulators.ozone_core import CoreMachine
from simulators.ozone_ledger import Withheld, compare_ledger
from simulators.ozone_machine import LONGEST_DELAY, Machine, until_one_ends
from simulators.ozone_operator import Operator, Shown
from simulators.ozone_records import TREATMENTS, OzoneOptions, Records
from simulators.ozone_verdict import (
    Commands,
    OzoneVerdict,
    Presses,
    compare_commands,
    compare_presses,
)
from simulators.progress import Row, progress
from simulators.staff import Staff, some_at_once

SLACK = 60.0  # seconds beyond what the delays of firmware and server add up to
ENOUGH = 0.9  # the share of machines that must be assigned before the presses begin
SETTLING = 2.0  # `ts` has whole seconds: a press this long after a reset is dated after it


class OzoneFleet:
    """The machines of one run and their operator."""

    def __init__(self, options: OzoneOptions, staff: Staff, console: Console) -> None:
        self.options = options
        self.records = Records(Weather(hostile=options.hostile))
        make = CoreMachine if options.core else Machine
        self.machines: list[Machine] = [make(options, self.records, number) for number in range(options.devices)]
        self.operator = Operator(staff, self.machines, options, self.records)
        self._console = console
        self._complained: set[str] = set()
        self._phase = "assigning"
        self._calm_since = self._began = time.monotonic()
        self._drained = 0.0
        self._lagging: list[str] = []
        self._lines: list[list[dict[str, Any]]] = []

    async def run(self) -> OzoneVerdict:
        """The whole run. Raises SimulationError when the operator's calls are refused or get no answer."""
        async with progress(self._console, self._row):
            living = [machine.run() for machine in self.machines]
            await until_one_ends(self._drive(), self._assign(), self.operator.rule_on_refused(), *living)
            self._phase = "reading back"
            shown = await some_at_once(self.operator.look_at(machine) for machine in self.machines)
            self._phase = "done"
        return self._judge(shown)

    async def _assign(self) -> None:
        await self.operator.assign_all()
        await asyncio.Event().wait()  # whatever ends, ends the run

    async def _drive(self) -> None:
        # On a bad network the last ones take long to show themselves: the run does not wait for them.
        await self._until(lambda: len(self.operator.assigned) >= ENOUGH * self.options.devices)
        self._phase = "pressing"
        self._began = time.monotonic()
        trouble = [machine.suffer() for machine in self.machines] if self.options.hostile else []
        await until_one_ends(self._press(), *trouble)
        self._phase = "draining"
        self._calm_since = time.monotonic()
        self.records.weather.hostile = False
        for machine in self.machines:
            machine.presses_by_itself = False
        await self._drain()
        self._drained = time.monotonic() - self._calm_since

    async def _press(self) -> None:
        """The machines press by themselves; it ends when the time is over and the operator has done its work."""
        await asyncio.gather(asyncio.sleep(self.options.seconds), self.operator.work())

    async def _drain(self) -> None:
        options = self.options
        longest_delay = 1.2 * LONGEST_DELAY / options.time_scale
        poll = options.poll_seconds / options.time_scale
        await self._until(self._is_drained, longest_delay + SLACK)
        await self.operator.commands_end(self._calm_since + longest_delay + options.command_timeout + 3 * poll + SLACK)
        plain = [machine for machine in self.machines if machine.is_plain]
        self._lagging = await self._with_wrong_counters(plain)
        await asyncio.sleep(SETTLING)
        for machine in self.machines:
            for treatment in TREATMENTS if options.withhold else (None,):
                machine.press(all_counters=True, treatment=treatment)
        await self._until(self._is_drained, longest_delay + SLACK)
        if options.withhold:
            self._lines = await some_at_once(self.operator.lines(machine) for machine in self.machines)
            for machine in self.machines:
                machine.send_withheld()
            await self._until(self._is_drained, longest_delay + SLACK)
        for machine in self.machines:
            await machine.network.settled()

    def _is_drained(self) -> bool:
        return not any(self._is_stuck(machine) for machine in self.machines)

    def _is_stuck(self, machine: Machine) -> bool:
        return bool(machine.queue) or machine.eeprom.wants_handshake or machine.polled_at < self._calm_since

    async def _until(self, condition: Callable[[], bool], seconds: float = math.inf) -> None:
        give_up_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up_at:
                break
            await asyncio.sleep(0.1)

    async def _with_wrong_counters(self, machines: list[Machine]) -> list[str]:
        counts = await some_at_once(self.operator.counts(machine) for machine in machines)
        return [each.known_as for each, shown in zip(machines, counts, strict=True) if not _agrees(each, shown)]

    def _row(self) -> Row:
        for complaint in self.records.complaints.keys() - self._complained:
            self._complained.add(complaint)
            self._console.print(f"Unexpected: {escape(complaint)}", soft_wrap=True, highlight=False)
        queued = sum(len(machine.queue) for machine in self.machines)
        latencies = self.records.latencies
        return {
            "": self._phase,
            "assigned": f"{len(self.operator.assigned)}/{self.options.devices}",
            "presses": f"{self.records.presses:,}",
            "queued": f"{queued:,}",
            "commands": f"{sum(map(len, self.operator.created.values())):,}",
            "handshakes": f"{self.records.statuses['handshake 200']:,}",
            "unanswered": f"{sum(self.records.unanswered.values()):,}",
            "restarts": f"{self.records.restarts:,}",
            "p50 ms": f"{latencies.quantile_ms(0.5) or 0:.1f}",
            "p99 ms": f"{latencies.quantile_ms(0.99) or 0:.1f}",
        }

    def _judge(self, shown: list[Shown]) -> OzoneVerdict:
        records, options = self.records, self.options
        presses, commands, withheld = Presses(), Commands(), Withheld()
        for machine, seen, lines in zip(self.machines, shown, self._lines, strict=False):
            withheld += compare_ledger(
                machine.known_as, machine.presses, seen.events, lines, seen.ledger, machine.unheard
            )
        for machine, seen in zip(self.machines, shown, strict=True):
            presses += compare_presses(machine.presses, seen.events)
            created = self.operator.created[machine.number]
            commands += compare_commands(created, machine.commands, seen.outcomes, seen.unended)
        rows = [row for seen in shown for row in seen.quarantined]
        return OzoneVerdict(
            devices=options.devices,
            hostile=options.hostile,
            time_scale=options.time_scale,
            seconds=round(self._calm_since - self._began, 1),
            drain_seconds=round(self._drained, 1),
            presses=presses,
            commands=commands,
            stuck=[machine.known_as for machine in self.machines if self._is_stuck(machine)],
            wrong_counters=[
                machine.known_as
                for machine, seen in zip(self.machines, shown, strict=True)
                if not _agrees(machine, seen.counts)
            ],
            lagging_counters=self._lagging,
            quarantined=len(rows),
            quarantine_open=sum(row["state"] == "open" for row in rows),
            statuses=dict(sorted(records.statuses.items())),
            unanswered=dict(sorted(records.unanswered.items())),
            complaints=dict(records.complaints),
            restarts=records.restarts,
            outages=records.outages,
            p50_ms=records.latencies.quantile_ms(0.5),
            p99_ms=records.latencies.quantile_ms(0.99),
            withheld=withheld,
        )


def _agrees(machine: Machine, shown: dict[str, object]) -> bool:
    """Whether the server shows the machine's counters."""
    return shown == {treatment.lower(): count for treatment, count in machine.counters.items()}


async def simulate_ozone(options: OzoneOptions, console: Console) -> OzoneVerdict:
    """One whole run. Raises SimulationError, with a sentence, when there is nothing to judge."""
    async with Staff(options.endpoint, options.username, options.password) as staff:
        await staff.check_server()
        await staff.sign_in()
        return await OzoneFleet(options, staff, console).run()
