"""`python manage.py recompute_statistics`: the counts that statistics are read from, made anew from the events."""

from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from device_gateway.models import Device
from device_gateway.registry.queries import find_device
from ozone.intake.pauses import Pauses
from ozone.wire.errors import NotFound
from telemetry.events.recount import Recounted, counted_devices, recount_some

TRIES: Final = 5
"""How often one stretch is tried. SQLite lets each try wait for 5 s."""


class Command(BaseCommand):
    help = (
        "Makes the counts by hour and day of STATS_TIME_ZONE anew from the events, while devices go on. Interrupted, it"
        " can be run again: what was done is done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", help="any name of a device: its counts alone")

    def handle(self, *args: Any, **options: Any) -> None:
        devices = counted_devices()
        if options["device"]:
            try:
                devices = devices.filter(pk=find_device(Device.objects.all(), options["device"]).pk)
            except NotFound as error:
                raise CommandError(error.detail) from error
        numbers = list(devices.values_list("pk", flat=True))
        self._pauses = Pauses()  # half of the time is the devices'
        rows = sum(self._recount(number) for number in numbers)
        self.stdout.write(f"Devices counted anew: {len(numbers)}. Counts that differed: {rows}.")

    def _recount(self, device: int) -> int:
        rows, since, is_first = 0, None, True
        while is_first or since is not None:
            with self._pauses.step():
                done = _patiently(device, since)
            rows, since, is_first = rows + done.rows, done.until, False
        return rows


def _patiently(device: int, since: datetime | None) -> Recounted:
    for _ in range(TRIES - 1):
        try:
            return recount_some(device=device, since=since)
        except OperationalError:
            continue  # locked: SQLite has one writer, and a busy fleet is another process
    return recount_some(device=device, since=since)
