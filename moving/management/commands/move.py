"""`python manage.py move db.sqlite3`: this system's own database, from SQLite to the PostgreSQL of DATABASE_URL."""

import argparse
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from moving.across.services import Moved, move
from moving.across.state import NoMove
from moving.backups.files import NoBackup
from moving.management.showing import shown


class Command(BaseCommand):
    help = "Moves a SQLite database of this system into the empty PostgreSQL database that DATABASE_URL names."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("source", type=Path, help="The SQLite file. It is only read")

    def handle(self, *_: Any, **told: Any) -> None:
        began = time.monotonic()
        try:
            with shown("move") as progress:
                moved = move(told["source"], progress)
        except (NoMove, NoBackup) as error:
            raise CommandError(str(error)) from None
        _show(moved)
        self.stdout.write(
            f"{moved.rows:,} rows of {len(moved.tables)} tables are the same on both sides; {moved.written:,} of them"
            f" were written now, in {time.monotonic() - began:,.0f} s."
        )
        if not moved.is_finished:
            raise CommandError(
                f"{told['source']} is being served, so the two sides part again. Stop its server, and run the same once"
                " more: that looks through what is there, and brings what has changed."
            )
        self.stdout.write(
            "Moved. Start the server with this DATABASE_URL, and the same DJANGO_SECRET_KEY and DEVICE_DATA_KEY."
        )


def _show(moved: Moved) -> None:
    table = Table("Table", "Rows", "SHA-256 of both sides")
    for name, (rows, digest) in moved.tables.items():
        if rows:
            table.add_row(name, f"{rows:,}", digest)
    Console(width=120).print(table)
