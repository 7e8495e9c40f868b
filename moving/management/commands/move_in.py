"""`python manage.py move_in SOURCE`: a fleet of an earlier system moves in, with its past."""

import argparse
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from moving.report import Report
from moving.services import move_in, sizes
from moving.sources import NoSource, open_source
from ozone.wire.conf import options
from ozone.wire.errors import Invalid
from ozone.wire.times import parse_query

SHOWN = 20
"""Rows of the report that are printed; all of them are in its file."""


class Command(BaseCommand):
    help = "Moves people, places, devices, credentials and history in from a database of an earlier system."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("source", help="A SQLite file, or postgresql://user:password@host/name")
        parser.add_argument("--dry-run", action="store_true", help="Writes nothing here, and prints the same report")
        parser.add_argument("--time-zone", help="Of local times in the source; DEVICE_TIME_ZONE unless told")
        parser.add_argument("--since", help="Events and readings inserted before this ISO 8601 time are left out")
        parser.add_argument("--report", type=Path, default=Path("move-in-report.json"), help="Where every row stands")

    def handle(self, *_: Any, **told: Any) -> None:
        name = told["time_zone"] or options().DEVICE_TIME_ZONE
        try:
            zone = ZoneInfo(name)
            since = parse_query("--since", told["since"], zone)
            source = open_source(told["source"])
        except (KeyError, ValueError, OSError):
            raise CommandError(f"{name} is no time zone: write it as Asia/Kuala_Lumpur.") from None
        except (Invalid, NoSource) as error:
            raise CommandError(str(error)) from None
        try:
            with Progress(transient=True) as bars:
                tasks = {table: bars.add_task(table, total=rows) for table, rows in sizes(source).items()}
                report = move_in(
                    source,
                    zone=zone,
                    since=since,
                    is_dry=told["dry_run"],
                    progress=lambda table, rows: bars.advance(tasks[table], rows),
                )
        except NoSource as error:
            raise CommandError(str(error)) from None
        finally:
            source.close()
        report.write(told["report"])
        _show(report, told["report"])
        if report.differences():
            raise CommandError("The two sides do not add up: see above. What was moved stays; a repeat goes on.")


def _show(report: Report, path: Path) -> None:
    console = Console(width=120)
    table = Table("Table", "Rows", "Added", "There", "Refused", title="Dry run" if report.is_dry else "Moved in")
    for name, counted in report.tables.items():
        table.add_row(
            name, *(f"{number:,}" for number in (counted.rows, counted.added, counted.there, counted.refused))
        )
    console.print(table)
    for sentence in report.remarks:
        console.print(sentence)
    for row in report.by_row[:SHOWN]:
        console.print(f"{row['table']} {row['row']}: {row['why']}", markup=False)
    if len(report.by_row) > SHOWN:
        console.print(f"… and {len(report.by_row) - SHOWN:,} rows more.")
    for sentence in report.differences():
        console.print(f"DIFFERS: {sentence}", markup=False)
    console.print(f"Presses: {sum(report.told.values()):,}. Every row and remark: {path}", markup=False)
