"""`python manage.py prune_readings`: deletes what is older than RETENTION_READINGS now, as our server does by itself.

For projects that have `device_gateway` among their apps and another server: once a day, say.
"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from device_gateway.upkeep.following import PAUSE
from device_gateway.upkeep.retention import Retention
from ozone.wire.conf import options


class Command(BaseCommand):
    help = "Deletes the readings that are older than RETENTION_READINGS, beside whatever serves; their hours stay."

    def handle(self, **_: Any) -> None:
        if options().RETENTION_READINGS <= 0:
            raise CommandError("RETENTION_READINGS is 0: all readings are kept.")
        retention, now = Retention(), timezone.now()
        deleted, has_more = 0, True
        while has_more:
            began = time.monotonic()
            number, has_more = retention.step(now)
            deleted += number
            time.sleep((time.monotonic() - began) * PAUSE)
        self.stdout.write(f"{deleted:,} readings deleted.")
