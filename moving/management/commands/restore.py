"""`python manage.py restore BACKUP`: a backup becomes the database; with `--verify` it is only tried."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from moving.backups.files import NoBackup
from moving.backups.services import Tried, restore, verify
from moving.management.showing import shown


class Command(BaseCommand):
    help = "Restores a backup into the database that DATABASE_URL names, while no server runs on it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("backup", type=Path, help="A file that `backup` has written")
        parser.add_argument(
            "--verify", action="store_true", help="Into a scratch database instead, beside the server; then compares"
        )
        parser.add_argument("--replace", action="store_true", help="SQLite: the file that is there is kept aside")

    def handle(self, *_: Any, **told: Any) -> None:
        aside = None
        try:
            with shown("restore") as progress:
                if told["verify"]:
                    tried = verify(told["backup"], progress=progress)
                else:
                    tried, aside = restore(
                        told["backup"], now=timezone.now(), replace=told["replace"], progress=progress
                    )
        except NoBackup as error:
            raise CommandError(str(error)) from None
        self._show(tried)
        if told["verify"] and tried.problems:
            raise CommandError("The backup is not good here: see above.")
        if told["verify"]:
            self.stdout.write("The backup is good: it was restored, and holds what was there when it was made.")
            return
        if aside is not None:
            self.stdout.write(f"The database that was there: {aside}")
        self.stdout.write(
            "Restored. Devices that have claimed a key since the backup get 401 and need a new token; keys revoked"
            " since then are in force again. Start the server."
        )

    def _show(self, tried: Tried) -> None:
        self.stdout.write(
            f"Made at {tried.made_at}: {tried.contents.rows:,} rows of {len(tried.contents.tables)} tables."
        )
        for table, newest in tried.contents.newest.items():
            self.stdout.write(f"{table}: the newest is {newest}.")
        for problem in tried.problems:
            self.stderr.write(f"{problem}.")
