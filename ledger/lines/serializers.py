"""The JSON of the ledger."""

from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework import serializers

from ledger.epochs.models import Epoch
from ledger.epochs.queries import Page
from ledger.lines.models import Kind, Line, Settlement
from ozone.webapi.fields import Text, WholeNumber
from ozone.wire.jsonio import packed
from ozone.wire.times import iso
from telemetry.models import Treatment


class SettleRequest(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=Settlement.Reason.choices)
    count = WholeNumber(
        required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1,
        help_text="With the reason counted: how many of the line's presses were sold",
    )  # fmt: skip
    note = Text(required=False, allow_blank=True, default="", max_length=500)


class SettledReply(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=Settlement.Reason.choices)
    count = serializers.IntegerField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)


class LineReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    numbers = serializers.CharField(help_text="`9`, or `10–15`")
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    count = serializers.IntegerField(help_text="Presses")
    at = serializers.DateTimeField(help_text="When it showed")
    outlet_id = serializers.IntegerField(allow_null=True, help_text="Where the device was then")
    settled = SettledReply(allow_null=True)

    @classmethod
    def of(cls, line: Line) -> dict[str, Any]:
        return {
            "id": line.pk,
            "kind": line.kind,
            "numbers": line.numbers,
            "first": line.first,
            "last": line.last,
            "count": line.count,
            "at": iso(line.at),
            "outlet_id": line.outlet_id,
            "settled": _settled(line.settlement),
        }


def _settled(settlement: Settlement | None) -> dict[str, Any] | None:
    if settlement is None:
        return None
    return {
        "reason": settlement.reason,
        "count": settlement.count,
        "note": settlement.note,
        "at": iso(settlement.made_at),
        "by": settlement.made_by.get_username() if settlement.made_by else None,
    }


class EpochMachine(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class EpochReply(serializers.Serializer[Any]):
    machine = EpochMachine(allow_null=True, help_text="That held the device")
    device_id = serializers.CharField()
    treatment = serializers.ChoiceField(choices=Treatment.choices)
    epoch = serializers.IntegerField(help_text="Of the device and treatment, from 1")
    cause = serializers.ChoiceField(choices=Epoch.Cause.choices, help_text="Why it began")
    command_id = serializers.UUIDField(allow_null=True, help_text="The command that was the cause")
    ordered_by = serializers.CharField(allow_null=True, help_text="Who gave it, or swapped the board")
    base = serializers.IntegerField()
    last = serializers.IntegerField()
    presses = serializers.IntegerField(help_text="Stored ones")
    difference = serializers.IntegerField(help_text="last − base")
    lines = LineReply(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name that a class could have."""
        ends = {
            "from": serializers.DateTimeField(),
            "to": serializers.DateTimeField(allow_null=True, help_text="null: it goes on"),
        }
        return {**super().get_fields(), **ends}

    @classmethod
    def of(cls, epoch: Epoch, lines: list[Line], ordered_by: str | None) -> dict[str, Any]:
        command, machine = epoch.command, epoch.machine
        return {
            "machine": {"id": machine.pk, "name": machine.name} if machine else None,
            "device_id": epoch.device.device_id,
            "treatment": epoch.treatment,
            "epoch": epoch.number,
            "cause": epoch.cause,
            "command_id": str(command.command_id) if command else None,
            "ordered_by": ordered_by,
            "from": iso(epoch.started_at),
            "to": epoch.ended_at and iso(epoch.ended_at),
            "base": epoch.base,
            "last": epoch.last,
            "presses": epoch.presses,
            "difference": epoch.difference,
            "lines": [LineReply.of(line) for line in lines],
        }


class LedgerReply(serializers.Serializer[Any]):
    epochs = EpochReply(many=True, help_text="The newest first")
    next = serializers.CharField(allow_null=True, help_text="For `before`; null: these are all")
    lines_left_out = serializers.IntegerField(help_text="Lines past 10,000 in one reply, of the older epochs")
    devices_pending = serializers.IntegerField(
        help_text="Devices that have told something which is not looked into yet: look again in some seconds"
    )

    @classmethod
    def of(cls, pages: Iterable[Page]) -> dict[str, Any]:
        told: list[Page] = []

        def epochs() -> Iterator[dict[str, Any]]:
            for page in pages:
                told.append(page._replace(epochs=[]))
                for epoch, lines in page.epochs:
                    yield EpochReply.of(epoch, lines, page.ordered_by.get(epoch.pk))

        return {
            "epochs": packed(epochs()),
            "next": str(told[-1].next) if told[-1].next else None,
            "lines_left_out": sum(page.lines_left_out for page in told),
            "devices_pending": told[-1].devices_pending,
        }
