"""`python manage.py prune_readings`: deletes what is older than RETENTION_READINGS now, as our server does by itself.

For projects that have `device_gateway` among their apps and another server: once a day, say.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from device_gateway.upkeep.following import PAUSE
from device_gateway.upkeep.retention import Retention
from ozone.intake.pauses import Pauses
from ozone.wire.conf import options


class Command(BaseCommand):
    help = "Deletes the readings that are older than RETENTION_READINGS, beside whatever serves; their hours stay."

    def handle(self, **_: Any) -> None:
        if options().RETENTION_READINGS <= 0:
            raise CommandError("RETENTION_READINGS is 0: all readings are kept.")
        retention, now = Retention(), timezone.now()
        deleted, has_more, pauses = 0, True, Pauses(PAUSE)
        while has_more:
            with pauses.step():
                number, has_more = retention.step(now)
            deleted += number
        self.stdout.write(f"{deleted:,} readings deleted.")
