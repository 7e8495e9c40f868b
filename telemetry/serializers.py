"""The JSON of outlets and machines, read and written; OpenAPI is generated from these."""

from typing import Any

from rest_framework import serializers

from device_gateway.serializers import Text, WholeNumber
from telemetry.models import Machine, Outlet, counts_of
from telemetry.status import Presence, presence

BIGGEST = 2**31 - 1


class OutletFields(serializers.ModelSerializer[Outlet]):
    """What may be written of an outlet."""

    name = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=200)
    address = Text(required=False, allow_blank=True, max_length=500)
    contact_person = Text(required=False, allow_blank=True, max_length=200)
    total_sva = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
    average_intage_services = serializers.FloatField(required=False, allow_null=True)
    number_of_machines = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
    machine_count = serializers.IntegerField(read_only=True, help_text="The machines that stand here.")
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
            "machine_count",
            "outlet_id",
            "outlet_name",
        )


class MachineFields(serializers.ModelSerializer[Machine]):
    """What may be written of a machine, and what is read of it besides."""

    name = Text(max_length=200)
    outlet = serializers.PrimaryKeyRelatedField(
        required=False, allow_null=True, queryset=Outlet.objects.filter(archived_at=None)
    )
    machine_id = serializers.IntegerField(read_only=True)
    machine_code = serializers.CharField(read_only=True)
    outlet_name = serializers.SerializerMethodField()
    device_id = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Machine
        fields = (
            "id",
            "outlet",
            "name",
            "is_active",
            "installed_date",
            "machine_id",
            "machine_code",
            "outlet_name",
            "device_id",
            "status",
            "counts",
        )

    def get_outlet_name(self, machine: Machine) -> str | None:
        return machine.outlet.name if machine.outlet else None

    def get_device_id(self, machine: Machine) -> str | None:
        return machine.device.device_id if machine.device else None

    def get_status(self, machine: Machine) -> str:
        """online, idle or offline: its device's; a machine without one is offline."""
        if machine.device is None:
            return Presence.OFFLINE
        state = machine.device.state
        return presence(state.last_poll, state.last_seen, self.context["now"])

    def get_counts(self, machine: Machine) -> dict[str, int]:
        return counts_of(machine.device)


class RegisterRequest(serializers.Serializer[Any]):
    device_id = Text(max_length=63)
    outlet_id = WholeNumber(min_value=1, max_value=2**63 - 1)
    name = Text(required=False, allow_blank=True, default="", max_length=200)


class UnregisteredReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    device_id = serializers.CharField()
    mac = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    assigned = serializers.BooleanField()
    last_seen = serializers.DateTimeField(allow_null=True)
    events = serializers.IntegerField()
