"""`python manage.py simulate …`: fleets of devices against a running server."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from simulators.client import Endpoint
from simulators.meters import MeterOptions, simulate_meters
from simulators.staff import SimulationError
from simulators.verdict import Verdict

if sys.platform != "win32":
    import resource

    import uvloop


class Command(BaseCommand):
    help = "Simulates a fleet against a running server and checks that all it acknowledged is stored."
    requires_system_checks = ()  # it speaks HTTP only: the server may be elsewhere, and its settings too

    def add_arguments(self, parser: CommandParser) -> None:
        fleets = parser.add_subparsers(dest="fleet", required=True, metavar="fleet")
        meters = fleets.add_parser("meters", help="energy meters that claim a key and send readings")
        meters.add_argument("--devices", type=_whole(1, 100_000), default=100, help="how many meters (100)")
        meters.add_argument("--rate", type=_positive, default=50.0, help="readings a second of each meter (50)")
        meters.add_argument("--seconds", type=_positive, default=30.0, help="how long they send (30)")
        meters.add_argument("--batch", type=_whole(1, 1000), default=1, help="readings in one request (1)")
        meters.add_argument("--encrypted", action="store_true", help="AES-GCM envelopes under the key of the claim")
        meters.add_argument("--ids", action="store_true", help="a message_id in each reading, so repeats are known")
        meters.add_argument("--seed", type=int, help="the same readings in every run with this number")
        _add_server_arguments(meters)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.ending = ""  # rich ends its lines itself
        console = Console(file=self.stdout)  # type: ignore[arg-type]
        fleet = MeterOptions(
            endpoint=_endpoint(options["url"], allow_remote=options["allow_remote"]),
            username=options["username"],
            password=options["password"] or os.environ.get("SIMULATE_PASSWORD") or "password",
            devices=options["devices"],
            rate=options["rate"],
            seconds=options["seconds"],
            batch=options["batch"],
            encrypted=options["encrypted"],
            ids=options["ids"],
            seed=options["seed"],
        )
        try:
            with _runner() as runner:
                verdict = runner.run(simulate_meters(fleet, console))
        except SimulationError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: what was sent has not been compared.", returncode=130) from None
        _show(console, verdict)
        if options["json"]:
            options["json"].write_text(json.dumps(verdict.as_json(), indent=2) + "\n", encoding="utf-8")
        if verdict.failures:
            raise CommandError(" ".join(verdict.failures))


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server (http://127.0.0.1:8000)")
    parser.add_argument("--allow-remote", action="store_true", help="allow a server that is not on this machine")
    parser.add_argument("--username", default="admin", help="a staff account (admin)")
    parser.add_argument("--password", help="its password; else SIMULATE_PASSWORD, else 'password'")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict to this file")


def _endpoint(url: str, *, allow_remote: bool) -> Endpoint:
    try:
        endpoint = Endpoint.parse(url)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not endpoint.is_loopback and not allow_remote:
        raise CommandError(
            f"{endpoint.host} is not this machine. The simulator makes devices and writes readings that stay there; "
            "add --allow-remote if that is what you want."
        )
    return endpoint


def _runner() -> asyncio.Runner:
    """A fast event loop, and as many open connections as the system grants: every device holds one."""
    if sys.platform == "win32":
        return asyncio.Runner()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _whole(least: int, most: int) -> Any:
    def whole(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:,} to {most:,}")
        return value

    return whole


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1_000_000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 1,000,000")
    return value


def _show(console: Console, verdict: Verdict) -> None:
    table = Table(title=f"Verdict: {'failed' if verdict.failures else 'passed'}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for heading, value in (
        ("devices", f"{verdict.devices:,}"),
        ("sent", f"{verdict.sent:,}"),
        ("acknowledged", f"{verdict.acknowledged:,}"),
        ("stored", f"{verdict.stored:,}"),
        ("lost", f"{verdict.lost:,}"),
        ("duplicated", f"{verdict.duplicated:,}"),
        ("refused", f"{verdict.refused:,}"),
        ("unconfirmed", f"{verdict.unconfirmed:,}"),
        ("bricked devices", f"{len(verdict.bricked):,}"),
        ("retries", f"{verdict.retries:,}"),
        ("rate asked, a second", f"{verdict.asked_rate:,.0f}"),
        ("rate achieved", f"{verdict.achieved_rate:,.0f}"),
        ("p50 / p99, ms", f"{verdict.p50_ms or 0:.1f} / {verdict.p99_ms or 0:.1f}"),
    ):
        table.add_row(heading, value)
    console.print(table)
    for remark in verdict.remarks:
        console.print(remark, soft_wrap=True, highlight=False)
