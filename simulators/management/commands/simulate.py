"""`python manage.py simulate …`: fleets of devices against a running server."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from simulators.client import Endpoint
from simulators.meters import MeterOptions, simulate_meters
from simulators.ozone import simulate_ozone
from simulators.ozone_records import OzoneOptions
from simulators.ozone_verdict import OzoneVerdict
from simulators.staff import SimulationError
from simulators.stations import StationOptions, StationVerdict, simulate_stations
from simulators.verdict import Verdict

if sys.platform != "win32":
    import resource

    import uvloop

Run = Coroutine[Any, Any, Verdict | StationVerdict | OzoneVerdict]


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
        stations = fleets.add_parser("stations", help="charging stations that sync at once through one connector")
        stations.add_argument("--stations", type=_whole(1, 99_999), default=100, help="how many stations (100)")
        stations.add_argument("--slots", type=_whole(1, 1000), default=12, help="slots of each station (12)")
        stations.add_argument("--rounds", type=_whole(1, 1000), default=1, help="full syncs of each station (1)")
        stations.add_argument("--connections", type=_whole(1, 1000), default=32, help="the connector's pool (32)")
        stations.add_argument("--secret", help="the signature secret; else IOT_SYSTEM_SIGNATURE_SECRET")
        _add_server_arguments(stations)
        ozone = fleets.add_parser("ozone", help="Ozone machines that press, poll, restart and shake hands")
        ozone.add_argument("--devices", type=_whole(1, 100_000), default=20, help="how many machines (20)")
        ozone.add_argument("--presses-per-minute", type=_positive, default=6.0, help="of each machine (6)")
        ozone.add_argument("--seconds", type=_positive, default=120.0, help="how long they press (120)")
        ozone.add_argument("--hostile", action="store_true", help="a bad network, power cuts, unset clocks, bad events")
        ozone.add_argument("--poll-seconds", type=_positive, default=30.0, help="between two polls for commands (30)")
        ozone.add_argument(
            "--time-scale", type=_positive, default=1.0, help="how much faster the firmware's own delays pass (1)"
        )
        ozone.add_argument(
            "--utc-offset", type=float, default=0.0, help="hours of the server's DEVICE_TIME_ZONE from UTC (0)"
        )
        ozone.add_argument(
            "--command-timeout", type=_positive, default=120.0, help="the server's COMMAND_RESULT_SECONDS (120)"
        )
        ozone.add_argument(
            "--withhold",
            type=_share,
            default=0.0,
            help="the share of presses that are sent only when the ledger has been read without them (0)",
        )
        ozone.add_argument(
            "--core",
            action="store_true",
            help="machines run the core of clients/core, compiled here, as their firmware",
        )
        ozone.add_argument("--seed", type=int, help="the same chances in every run with this number")
        _add_server_arguments(ozone)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.ending = ""  # rich ends its lines itself
        console = Console(file=self.stdout)  # type: ignore[arg-type]
        run = {"meters": _meters, "stations": _stations, "ozone": _ozone}[options["fleet"]](options, console)
        try:
            with _runner() as runner:
                verdict = runner.run(run)
        except SimulationError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted: what was sent has not been compared.", returncode=130) from None
        if isinstance(verdict, StationVerdict):
            _show_stations(console, verdict)
        elif isinstance(verdict, OzoneVerdict):
            _show_ozone(console, verdict)
        else:
            _show(console, verdict)
        if options["json"]:
            options["json"].write_text(json.dumps(verdict.as_json(), indent=2) + "\n", encoding="utf-8")
        if verdict.failures:
            raise CommandError(" ".join(verdict.failures))


def _meters(options: dict[str, Any], console: Console) -> Run:
    fleet = MeterOptions(
        endpoint=_endpoint(options["url"], allow_remote=options["allow_remote"]),
        username=options["username"],
        password=_password(options),
        devices=options["devices"],
        rate=options["rate"],
        seconds=options["seconds"],
        batch=options["batch"],
        encrypted=options["encrypted"],
        ids=options["ids"],
        seed=options["seed"],
    )
    return simulate_meters(fleet, console)


def _stations(options: dict[str, Any], console: Console) -> Run:
    secret = options["secret"] or os.environ.get("IOT_SYSTEM_SIGNATURE_SECRET")
    if not secret:
        raise CommandError("Name the server's signature secret with --secret, or set IOT_SYSTEM_SIGNATURE_SECRET.")
    fleet = StationOptions(
        endpoint=_endpoint(options["url"], allow_remote=options["allow_remote"]),
        username=options["username"],
        password=_password(options),
        secret=secret,
        stations=options["stations"],
        slots=options["slots"],
        rounds=options["rounds"],
        connections=options["connections"],
    )
    return simulate_stations(fleet, console)


def _ozone(options: dict[str, Any], console: Console) -> Run:
    if options["core"] and options["withhold"]:
        raise CommandError("The core sends what it has in order: --withhold is for the firmware in the field.")
    fleet = OzoneOptions(
        endpoint=_endpoint(options["url"], allow_remote=options["allow_remote"]),
        username=options["username"],
        password=_password(options),
        devices=options["devices"],
        presses_per_minute=options["presses_per_minute"],
        seconds=options["seconds"],
        hostile=options["hostile"],
        poll_seconds=options["poll_seconds"],
        time_scale=options["time_scale"],
        utc_offset=options["utc_offset"],
        command_timeout=options["command_timeout"],
        seed=options["seed"],
        withhold=options["withhold"],
        core=options["core"],
    )
    return simulate_ozone(fleet, console)


def _password(options: dict[str, Any]) -> str:
    return options["password"] or os.environ.get("SIMULATE_PASSWORD") or "password"


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


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("must be from 0 to below 1")
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


def _show_stations(console: Console, verdict: StationVerdict) -> None:
    table = Table(title=f"Verdict: {'failed' if verdict.failures else 'passed'}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for heading, value in (
        ("stations", f"{verdict.stations:,}"),
        ("slots of each", f"{verdict.slots:,}"),
        ("syncs", f"{verdict.syncs:,}"),
        ("undelivered", f"{verdict.undelivered:,}"),
        ("repeats, of them applied", f"{verdict.repeats:,}, {verdict.repeats_applied:,}"),
        ("wrong stations", f"{verdict.wrong_stations:,}"),
        ("wrong power banks", f"{verdict.wrong_power_banks:,}"),
        ("retries", f"{verdict.retries:,}"),
        ("syncs a second", f"{verdict.rate:,.0f}"),
        ("p50 / p99, ms", f"{verdict.p50_ms or 0:.1f} / {verdict.p99_ms or 0:.1f}"),
    ):
        table.add_row(heading, value)
    console.print(table)


def _show_ozone(console: Console, verdict: OzoneVerdict) -> None:
    presses, commands, withheld = verdict.presses, verdict.commands, verdict.withheld
    replies = {status: f"{verdict.count(status):,}" for status in (401, 403, 429, 503)}
    table = Table(title=f"Verdict: {'failed' if verdict.failures else 'passed'}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for heading, value in (
        ("machines", f"{verdict.devices:,}"),
        ("presses made", f"{presses.made:,}"),
        ("stored", f"{presses.stored:,}"),
        ("lost", f"{presses.lost:,}"),
        ("counted twice", f"{presses.duplicated:,}"),
        ("altered, invented", f"{presses.altered:,}, {presses.invented:,}"),
        ("withheld, of these to be shown", f"{withheld.presses:,}, {withheld.shown:,}"),
        (
            "lines lacking, left open, false",
            f"{len(withheld.unnamed):,}, {len(withheld.unclosed):,}, {len(withheld.untrue):,}",
        ),
        ("cleared by CLEAR_QUEUE", f"{presses.cleared:,}"),
        ("refused: discarded, accepted", f"{presses.discarded:,}, {presses.accepted:,}"),
        ("in quarantine, of them open", f"{verdict.quarantined:,}, {verdict.quarantine_open:,}"),
        ("machines stuck", f"{len(verdict.stuck):,}"),
        ("machines with wrong counters", f"{len(verdict.wrong_counters):,}"),
        ("commands", f"{commands.created:,}"),
        *((f"  {state}", f"{count:,}") for state, count in sorted(commands.outcomes.items())),
        ("commands that never ended", f"{commands.unended:,}"),
        ("handshakes", f"{verdict.statuses.get('handshake 200', 0):,}"),
        *((f"replies {status}", count) for status, count in replies.items()),
        ("requests without a reply", f"{sum(verdict.unanswered.values()):,}"),
        ("restarts, outages", f"{verdict.restarts:,}, {verdict.outages:,}"),
        ("seconds pressed, drained", f"{verdict.seconds:,.0f}, {verdict.drain_seconds:,.0f}"),
        ("events: p50 / p99, ms", f"{verdict.p50_ms or 0:.1f} / {verdict.p99_ms or 0:.1f}"),
    ):
        table.add_row(heading, value)
    console.print(table)
