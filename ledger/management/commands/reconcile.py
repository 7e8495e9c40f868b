"""`python manage.py reconcile`: the ledger made anew from events, commands and bindings."""

import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from device_gateway.models import Device
from device_gateway.registry.queries import find_device
from ledger.epochs.keeping import NO_CHANGES, Changes
from ledger.epochs.services import Looked, begin_again, look_into
from ozone.wire.errors import NotFound
from telemetry.models import DeviceStatus

TRIES: Final = 5
"""How often a step is tried. SQLite lets each try wait for 5 s."""


class Command(BaseCommand):
    help = (
        "Makes epochs and lines anew from events, commands and bindings, while devices go on, and says how many rows"
        " were wrong. What people have settled stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--device", help="any name of a device: its ledger alone")

    def handle(self, *args: Any, **options: Any) -> None:
        statuses = DeviceStatus.objects.order_by("pk")
        if options["device"]:
            try:
                statuses = statuses.filter(pk=find_device(Device.objects.all(), options["device"]).pk)
            except NotFound as error:
                raise CommandError(error.detail) from error
        numbers = list(statuses.values_list("pk", flat=True))
        changes = sum((_look_through(number) for number in numbers), NO_CHANGES)
        self.stdout.write(
            f"Devices looked into: {len(numbers):,}. Rows that differed: {changes.epochs:,} epochs,"
            f" {changes.lines:,} lines."
        )


def _look_through(device: int) -> Changes:
    changes, is_done = NO_CHANGES, False
    while not is_done:  # what was told meanwhile first
        is_done, _ = _patiently(device)
    begin_again([device])
    is_done = False
    while not is_done:
        began = time.monotonic()
        is_done, more = _patiently(device)
        changes += more
        time.sleep(time.monotonic() - began)  # half of the time is the devices'
    return changes


def _patiently(device: int) -> Looked:
    for _ in range(TRIES - 1):
        try:
            return look_into(device)
        except OperationalError:
            continue  # locked: SQLite has one writer, and a busy fleet is another process
    return look_into(device)
