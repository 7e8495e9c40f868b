"""The JSON of section 4 as OpenAPI and the read side show it."""

from typing import Any, Final

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from ozone.wire.times import iso
from stations.models import PowerBank, PowerBankReturn, Station, StationSlot


class Instant(serializers.DateTimeField):
    """ISO 8601 in UTC with its `Z`, whatever the project's time zone."""

    def to_representation(self, value: Any) -> str:
        return iso(value)


class PlacedBank(serializers.ModelSerializer[PowerBank]):
    """A power bank as its slot shows it."""

    class Meta:
        model = PowerBank
        fields: tuple[str, ...] = ("serial_number", "status", "battery_level")
        read_only_fields = fields


class PowerBankRow(serializers.ModelSerializer[PowerBank]):
    station = serializers.CharField(source="station.serial_number", default=None, help_text="Its serial number.")
    current_slot = serializers.IntegerField(source="current_slot.slot_number", default=None, help_text="Its number.")
    seen_at = Instant(allow_null=True, help_text="Of the newest message that saw it in a slot.")
    updated_at = Instant()

    class Meta:
        model = PowerBank
        fields: tuple[str, ...] = (
            "id",
            "serial_number",
            "status",
            "battery_level",
            "station",
            "current_slot",
            "hardware_info",
            "seen_at",
            "updated_at",
        )
        read_only_fields = fields


class SlotRow(serializers.ModelSerializer[StationSlot]):
    power_bank = serializers.SerializerMethodField()
    updated_at = Instant()

    class Meta:
        model = StationSlot
        fields: tuple[str, ...] = (
            "slot_number",
            "status",
            "battery_level",
            "slot_metadata",
            "power_bank",
            "updated_at",
        )
        read_only_fields = fields

    def get_power_bank(self, slot: StationSlot) -> dict[str, Any] | None:
        bank = getattr(slot, "power_bank", None)  # Django raises, where a one to one has nobody
        return None if bank is None else dict(PlacedBank(bank).data)


class ReturnRow(serializers.ModelSerializer[PowerBankReturn]):
    power_bank = serializers.CharField(source="power_bank.serial_number")
    returned_at = Instant()
    received_at = Instant()

    class Meta:
        model = PowerBankReturn
        fields: tuple[str, ...] = (
            "id",
            "power_bank",
            "slot_number",
            "battery_level",
            "condition",
            "returned_at",
            "received_at",
            "stale",
        )
        read_only_fields = fields


class StationRow(serializers.ModelSerializer[Station]):
    last_heartbeat = Instant(allow_null=True)
    last_message_at = Instant(allow_null=True, help_text="The `timestamp` of the newest message applied.")
    updated_at = Instant()
    slots_occupied = serializers.IntegerField()
    power_banks = serializers.IntegerField(source="power_banks_here", help_text="How many sit in it.")
    power_banks_available = serializers.IntegerField()

    class Meta:
        model = Station
        fields: tuple[str, ...] = (
            "id",
            "serial_number",
            "imei",
            "status",
            "last_heartbeat",
            "signal_strength",
            "wifi_ssid",
            "total_slots",
            "slots_occupied",
            "power_banks",
            "power_banks_available",
            "last_message_at",
            "updated_at",
        )
        read_only_fields = fields


class StationDetail(StationRow):
    slots = SlotRow(many=True, source="shown_slots")
    returns = ReturnRow(many=True, source="shown_returns", help_text="The 20 newest.")

    class Meta(StationRow.Meta):
        fields = (*StationRow.Meta.fields, "hardware_info", "pinboards", "slots", "returns")
        read_only_fields = fields


def page_of(name: str, row: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """A page of a list, for the OpenAPI."""
    return inline_serializer(
        name,
        {
            "results": row(many=True),
            "next": serializers.URLField(allow_null=True, help_text="The following page."),
        },
    )


PROBLEM: Final = inline_serializer(
    "StationProblem",
    {
        "success": serializers.BooleanField(help_text="false"),
        "message": serializers.CharField(help_text="A sentence a person can act on."),
        "error": serializers.CharField(help_text="A stable word."),
        "errors": serializers.DictField(
            child=serializers.CharField(), required=False, help_text="Sentences by place: `slots[2].status`."
        ),
    },
)
SYNC_REQUEST: Final = inline_serializer(
    "StationMessage",
    {
        "type": serializers.ChoiceField(["full", "returned", "status"]),
        "timestamp": serializers.IntegerField(required=False, help_text="Unix seconds: when it was so."),
        "device": serializers.DictField(),
        "station": serializers.DictField(required=False),
        "slots": serializers.ListField(child=serializers.DictField(), required=False),
        "power_banks": serializers.ListField(child=serializers.DictField(), required=False),
        "return_event": serializers.DictField(required=False),
    },
)
SYNC_REPLY: Final = inline_serializer(
    "StationSynced",
    {
        "success": serializers.BooleanField(),
        "message": serializers.CharField(),
        "data": serializers.DictField(),
        "warnings": serializers.DictField(
            child=serializers.CharField(),
            required=False,
            help_text="Sentences by place of values that were left as they were: `slots[2].battery_level`.",
        ),
        "replayed": serializers.BooleanField(required=False, help_text="It had been applied before."),
        "stale": serializers.BooleanField(required=False, help_text="A newer message had been applied."),
    },
)
_diagnosis: Final = inline_serializer(
    "SignatureDiagnosis",
    {
        "failed_step": serializers.IntegerField(allow_null=True, help_text="1 to 6; null: all pass."),
        "signed": inline_serializer(
            "WhatWasSigned",
            {
                "body_bytes": serializers.IntegerField(),
                "body_sha256": serializers.CharField(),
                "timestamp": serializers.CharField(help_text="X-Timestamp as it came."),
                "server_time": serializers.IntegerField(help_text="Unix seconds."),
                "matches_current": serializers.BooleanField(),
                "matches_previous": serializers.BooleanField(allow_null=True, help_text="null: no previous secret."),
            },
            required=False,
            help_text="From step 3 on.",
        ),
    },
)
VERIFIED: Final = inline_serializer(
    "StationVerified",
    {
        "success": serializers.BooleanField(),
        "message": serializers.CharField(),
        "error": serializers.CharField(required=False),
        "data": _diagnosis,
    },
)
