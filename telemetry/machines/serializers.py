"""The JSON of outlets, machines and device lists; OpenAPI is generated from these. Lists are rendered by `queries`."""

from typing import Any

from rest_framework import serializers

from ozone.webapi.fields import Flag, Number, Text, WholeNumber
from telemetry.events.replies import CountsReply
from telemetry.models import Machine, Outlet
from telemetry.presence import Presence

BIGGEST = 2**31 - 1
_PRESENCES = [presence.value for presence in Presence]


class BoundMachineReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    outlet_id = serializers.IntegerField(allow_null=True)
    outlet_name = serializers.CharField(allow_null=True)


class ListedDevice(serializers.Serializer[Any]):
    """As queries.device_list makes it."""

    id = serializers.IntegerField()
    device_id = serializers.CharField()
    mac = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    location = serializers.CharField(allow_blank=True)
    assigned = serializers.BooleanField()
    firmware = serializers.CharField(allow_blank=True)
    last_seen = serializers.DateTimeField(allow_null=True)
    last_poll = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=_PRESENCES)
    counts = CountsReply()
    bound_machine = BoundMachineReply(allow_null=True)


class OutletFields(serializers.ModelSerializer[Outlet]):
    """An outlet, as it is written and as it is read. With PUT, too, a member that is not sent keeps its value."""

    name = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=200)
    address = Text(required=False, allow_blank=True, max_length=500)
    contact_person = Text(required=False, allow_blank=True, max_length=200)
    is_active = Flag(required=False)
    total_sva = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
    average_intage_services = Number(required=False, allow_null=True)
    number_of_machines = WholeNumber(required=False, allow_null=True, min_value=0, max_value=BIGGEST)
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
            "machine_count",
            "outlet_id",
            "outlet_name",
        )


class MachineRequest(serializers.ModelSerializer[Machine]):
    """What may be written of a machine. With PUT, too, a member that is not sent keeps its value."""

    name = Text(max_length=200)
    outlet = serializers.PrimaryKeyRelatedField(
        required=False, allow_null=True, pk_field=WholeNumber(), queryset=Outlet.objects.filter(archived_at=None)
    )
    is_active = Flag(required=False)

    class Meta:
        model = Machine
        fields = ("outlet", "name", "is_active", "installed_date")


class MachineReply(serializers.Serializer[Any]):
    """As queries.machine_list makes it."""

    id = serializers.IntegerField()
    outlet = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    installed_date = serializers.DateField(allow_null=True)
    machine_id = serializers.IntegerField(help_text="The id.")
    machine_code = serializers.CharField(help_text="The name.")
    outlet_name = serializers.CharField(allow_null=True)
    device_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=_PRESENCES)
    counts = CountsReply()


class RegisterRequest(serializers.Serializer[Any]):
    device_id = Text(max_length=63)
    outlet_id = WholeNumber(min_value=1, max_value=2**63 - 1)
    name = Text(required=False, allow_blank=True, default="", max_length=200)
