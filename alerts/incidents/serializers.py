"""The JSON of incidents and maintenance."""

from typing import Any

from rest_framework import serializers

from alerts.conditions.table import CONDITIONS
from alerts.incidents.models import Incident, Maintenance
from ozone.webapi.fields import Text, WholeNumber
from ozone.wire.times import iso, iso_or_none


class IncidentReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=list(CONDITIONS))
    subject = serializers.CharField(help_text="Its name, as it was")
    device_id = serializers.CharField(allow_null=True)
    machine_id = serializers.IntegerField(allow_null=True)
    outlet_id = serializers.IntegerField(allow_null=True)
    station = serializers.CharField(allow_null=True, help_text="Serial number")
    title = serializers.CharField()
    sentence = serializers.CharField(help_text="What happened, since when, what is usual")
    advice = serializers.CharField(help_text="What to do")
    since = serializers.DateTimeField(help_text="When it began, as far as is known")
    opened_at = serializers.DateTimeField(help_text="When it was found")
    ended_at = serializers.DateTimeField(allow_null=True)
    told_at = serializers.DateTimeField(allow_null=True, help_text="null: nobody was told, it is held back")
    held_by = serializers.IntegerField(allow_null=True, help_text="The incident that is told in its place")
    times = serializers.IntegerField(help_text="How often it began")
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    escalated_at = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(allow_blank=True, help_text="The likeliest, in a sentence; empty: nothing tells")
    facts = serializers.DictField(help_text="What was seen")

    @classmethod
    def of(cls, incident: Incident) -> dict[str, Any]:
        moments = (
            "since", "opened_at", "ended_at", "told_at", "acknowledged_at", "snoozed_until", "escalated_at",
        )  # fmt: skip
        plain = ("id", "kind", "subject", "title", "sentence", "advice", "times", "note", "cause", "facts")
        by = incident.acknowledged_by
        return {
            **{name: getattr(incident, name) for name in plain},
            **{name: iso_or_none(getattr(incident, name)) for name in moments},
            "device_id": incident.device.device_id if incident.device else None,
            "machine_id": incident.machine_id,
            "outlet_id": incident.outlet_id,
            "station": incident.station.serial_number if incident.station else None,
            "held_by": incident.held_by_id,
            "acknowledged_by": by.get_username() if by else None,
        }


class AcknowledgeRequest(serializers.Serializer[Any]):
    note = Text(required=False, allow_blank=True, default="", max_length=500)


class SnoozeRequest(serializers.Serializer[Any]):
    until = serializers.DateTimeField()


class MaintenanceRequest(serializers.Serializer[Any]):
    outlet = WholeNumber(required=False, allow_null=True, default=None, min_value=1)
    machine = WholeNumber(required=False, allow_null=True, default=None, min_value=1)
    fleet = serializers.BooleanField(required=False, default=False, help_text="true: of all")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(required=False, allow_null=True, default=None)
    weekly = Text(
        required=False, allow_blank=True, default="", max_length=200,
        help_text="Hours of each week, as opening hours are written: `Su 02:00-04:00`, by the clock of the pages",
    )  # fmt: skip
    note = Text(required=False, allow_blank=True, default="", max_length=500)


class MaintenanceReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    outlet = serializers.IntegerField(allow_null=True)
    machine = serializers.IntegerField(allow_null=True)
    fleet = serializers.BooleanField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)
    weekly = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)

    @classmethod
    def of(cls, window: Maintenance) -> dict[str, Any]:
        return {
            "id": window.pk,
            "outlet": window.outlet_id,
            "machine": window.machine_id,
            "fleet": window.outlet_id is None and window.machine_id is None,
            "start": iso(window.start),
            "end": iso_or_none(window.end),
            "weekly": window.weekly,
            "note": window.note,
        }
