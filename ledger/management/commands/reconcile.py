"""`python manage.py reconcile`: the ledger made anew from events, commands and bindings."""

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from device_gateway.models import Device
from device_gateway.registry.queries import find_device
from ledger.epochs.services import begin_again, look_into
from ledger.models import Epoch, Line
from ozone.intake.pauses import Pauses
from ozone.wire.errors import NotFound
from telemetry.models import DeviceStatus

EPOCH: Final = (
    "treatment", "number", "cause", "command", "machine", "started_at", "ended_at", "base", "last", "presses",
    "pressed_at",
)  # fmt: skip
LINE: Final = (
    "treatment", "epoch__number", "kind", "first", "at", "last", "count", "machine", "outlet", "settlement"
)  # fmt: skip
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
        epochs = lines = 0
        pauses = Pauses()  # half of the time is the devices'
        for number in numbers:
            wrong = _make_anew(number, pauses)
            epochs, lines = epochs + wrong[0], lines + wrong[1]
        self.stdout.write(
            f"Devices looked into: {len(numbers):,}. Rows that differed: {epochs:,} epochs, {lines:,} lines."
        )


def _make_anew(device: int, pauses: Pauses) -> list[int]:
    """How many epochs and lines were wrong."""
    while not _patiently(device):
        pass  # what was told meanwhile first
    before = _rows(device)
    begin_again([device])
    is_done = False
    while not is_done:
        with pauses.step():
            is_done = _patiently(device)
    return [
        sum(was.get(key) != now.get(key) for key in was.keys() | now.keys())
        for was, now in zip(before, _rows(device), strict=True)
    ]


def _rows(device: int) -> list[dict[Any, Any]]:
    """Epochs, and lines: what they say by what they are. In the steps between they say other things."""
    epochs = Epoch.objects.filter(device=device).order_by().values_list(*EPOCH)
    lines = Line.objects.filter(device=device).order_by().values_list(*LINE)
    return [{row[:2]: row for row in epochs}, {row[:5]: row for row in lines}]


def _patiently(device: int) -> bool:
    for _ in range(TRIES - 1):
        try:
            return look_into(device)
        except OperationalError:
            continue  # locked: SQLite has one writer, and a busy fleet is another process
    return look_into(device)
