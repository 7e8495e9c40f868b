"""`python manage.py backup TARGET`: a copy of the whole database, beside the serving server."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from moving.backups.files import NoBackup, beside
from moving.backups.services import take
from moving.management.showing import shown


class Command(BaseCommand):
    help = "Writes a backup of the database, which may be served meanwhile, into a new file."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", type=Path, help="A folder, in which it gets a name with the time, or a new file")

    def handle(self, *_: Any, **told: Any) -> None:
        try:
            with shown("backup") as progress:
                taken = take(told["target"], now=timezone.now(), progress=progress)
        except NoBackup as error:
            raise CommandError(str(error)) from None
        size = taken.path.stat().st_size / 1e6
        self.stdout.write(f"{taken.contents.rows:,} rows of {len(taken.contents.tables)} tables.")
        for table, newest in taken.contents.newest.items():
            self.stdout.write(f"{table}: the newest is {newest}.")
        self.stdout.write(
            f"Backup: {taken.path} ({size:,.1f} MB, for you alone to read); what it holds: {beside(taken.path).name}.\n"
            "Not in it: DJANGO_SECRET_KEY and DEVICE_DATA_KEY. Keep them elsewhere: without the second one the readings"
            " of encrypted devices cannot be read.\n"
            f"Try it: python manage.py restore --verify {taken.path}"
        )
