"""The JSON of outlets, machines and device lists; OpenAPI is generated from these."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from device_gateway.registry.serializers import last_heard_member
from ozone.webapi.fields import Flag, Number, Text, WholeNumber
from ozone.webapi.names import Name
from ozone.webapi.replies import Made, RowReply
from telemetry.events.replies import CountsReply
from telemetry.models import Machine, Outlet
from telemetry.opening import LONGEST, check_opening_hours
from telemetry.presence import Presence, presence
from telemetry.treatments import COUNTERS

BIGGEST = 2**31 - 1
_PRESENCES = [status.value for status in Presence]


class BoundMachineReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    outlet_id = serializers.IntegerField(allow_null=True)
    outlet_name = serializers.CharField(allow_null=True)


def _bound(_: datetime, pk: int | None, name: str, outlet_id: int | None, outlet: str | None) -> dict[str, Any] | None:
    return None if pk is None else {"id": pk, "name": name, "outlet_id": outlet_id, "outlet_name": outlet}


def _presence(now: datetime, last_poll: datetime | None, last_seen: datetime | None) -> Presence:
    return presence(last_poll, last_seen, now)


def _counts(_: datetime, *counts: int | None) -> dict[str, int]:
    """Zeros of a device that has told nothing yet, and of none."""
    return {name: count or 0 for name, count in zip(COUNTERS, counts, strict=True)}


def _words(_: datetime, text: str | None) -> str | None:
    return text or None


def _heard(device: str = "") -> tuple[str, str]:
    return f"{device}state__last_poll", f"{device}state__last_seen"


def _counters(device: str = "") -> list[str]:
    return [f"{device}status__current_count_{name}" for name in COUNTERS]


class ListedDevice(RowReply):
    """A device in a list."""

    given = ("online",)
    made = {
        "status": Made(_presence, *_heard()),
        "counts": Made(_counts, *_counters()),
        "last_heard": last_heard_member(),
        "bound_machine": Made(_bound, "machine__id", "machine__name", "machine__outlet_id", "machine__outlet__name"),
    }

    id = serializers.IntegerField()
    device_id = serializers.CharField()
    mac = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    location = serializers.CharField(allow_blank=True)
    assigned = serializers.BooleanField()
    firmware = serializers.CharField(allow_blank=True)
    last_seen = serializers.DateTimeField(source="state__last_seen", allow_null=True)
    last_poll = serializers.DateTimeField(source="state__last_poll", allow_null=True)
    last_heard = serializers.DateTimeField(allow_null=True, help_text="The newest of both.")
    status = serializers.ChoiceField(choices=_PRESENCES)
    online = serializers.BooleanField(help_text="Whether its status is online.")
    counts = CountsReply()
    bound_machine = BoundMachineReply(allow_null=True)

    @classmethod
    def rows(cls, rows: "QuerySet[Any]", now: datetime) -> Iterator[dict[str, Any]]:
        for shown in super().rows(rows, now):
            shown["online"] = shown["status"] == Presence.ONLINE
            yield shown


class OutletFields(serializers.ModelSerializer[Outlet]):
    """An outlet, as it is written and as it is read. With PUT, too, a member that is not sent keeps its value."""

    name = Name(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=200)
    address = Text(required=False, allow_blank=True, max_length=500)
    contact_person = Text(required=False, allow_blank=True, max_length=200)
    is_active = Flag(required=False)
    total_sva = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
    average_intage_services = Number(required=False, allow_null=True)
    number_of_machines = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
    opening_hours = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST,
        validators=[check_opening_hours],
        help_text="As Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00, by the clock of STATS_TIME_ZONE; empty: always open",
    )
    machine_count = serializers.IntegerField(read_only=True, help_text="The machines there that the caller may see.")
    outlet_id = serializers.IntegerField(read_only=True)
    outlet_name = serializers.CharField(read_only=True)

    class Meta:
        model = Outlet
        fields = (
            "id",
            "name",
            "region",
            "address",
            "contact_person",
            "is_active",
            "total_sva",
            "average_intage_services",
            "number_of_machines",
            "opening_hours",
            "machine_count",
            "outlet_id",
            "outlet_name",
        )


class MachineRequest(serializers.ModelSerializer[Machine]):
    """What may be written of a machine. With PUT, too, a member that is not sent keeps its value."""

    name = Name(max_length=200)
    outlet = serializers.PrimaryKeyRelatedField(
        required=False, allow_null=True, pk_field=WholeNumber(), queryset=Outlet.objects.filter(archived_at=None)
    )
    is_active = Flag(required=False)

    class Meta:
        model = Machine
        fields = ("outlet", "name", "is_active", "installed_date")


class MachineReply(RowReply):
    """A machine; status and counters are its device's."""

    made = {
        "status": Made(_presence, *_heard("device__")),
        "counts": Made(_counts, *_counters("device__")),
        "last_heard": last_heard_member("device__"),
    }

    id = serializers.IntegerField()
    outlet = serializers.IntegerField(source="outlet_id", allow_null=True)
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    installed_date = serializers.DateField(allow_null=True)
    machine_id = serializers.IntegerField(source="id", help_text="The id.")
    machine_code = serializers.CharField(source="name", help_text="The name.")
    outlet_name = serializers.CharField(source="outlet__name", allow_null=True)
    device_id = serializers.CharField(source="device__device_id", allow_null=True)
    status = serializers.ChoiceField(choices=_PRESENCES)
    last_heard = serializers.DateTimeField(allow_null=True, help_text="The device's newest poll or message.")
    counts = CountsReply()


class RestoredMachine(MachineReply):
    given = ("warnings",)

    warnings = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="What it lacks that it had, by member (`device_id`, `outlet`), and why.",
    )


class NumberOrDigits(WholeNumber):
    """Also `"12"`: the first front ends send it as text."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and data.isascii() and data.isdigit() and len(data) < 20:
            data = int(data)
        return super().to_internal_value(data)


class RegisterRequest(serializers.Serializer[Any]):
    device_id = Text(max_length=63)
    outlet_id = NumberOrDigits(min_value=1, max_value=2**63 - 1)
    name = Name(required=False, allow_blank=True, default="", max_length=200)


class SummaryReply(RowReply):
    """What one device last told of itself."""

    made = {
        "mode": Made(_words, "status__mode"),
        "counts": Made(_counts, *_counters()),
        "status": Made(_presence, *_heard()),
        "last_heard": last_heard_member(),
        "device_timestamp": Made(_words, "status__device_timestamp"),
        "reset_reason": Made(_words, "status__reset_reason"),
    }

    device_id = serializers.CharField()
    mode = serializers.CharField(allow_null=True)
    counts = CountsReply()
    on_time = serializers.ListField(source="status__on_time", allow_null=True)
    status = serializers.ChoiceField(choices=_PRESENCES)
    last_seen = serializers.DateTimeField(source="state__last_seen", allow_null=True)
    last_poll = serializers.DateTimeField(source="state__last_poll", allow_null=True)
    last_heard = serializers.DateTimeField(allow_null=True, help_text="The newest of both.")
    wifi_connected = serializers.BooleanField(source="status__wifi_connected", allow_null=True)
    rtc_available = serializers.BooleanField(source="status__rtc_available", allow_null=True)
    sd_card_available = serializers.BooleanField(source="status__sd_card_available", allow_null=True)
    uptime_seconds = serializers.IntegerField(source="status__uptime_seconds", allow_null=True)
    device_timestamp = serializers.CharField(allow_null=True)
    reset_reason = serializers.CharField(allow_null=True)
    rssi = serializers.IntegerField(source="status__rssi", allow_null=True, help_text="dBm")
    free_heap = serializers.IntegerField(source="status__free_heap", allow_null=True, help_text="Bytes")
    queue_length = serializers.IntegerField(source="status__queue_length", allow_null=True)
    vitals_at = serializers.DateTimeField(
        source="status__vitals_at", allow_null=True, help_text="When the device told the newest of these"
    )
