"""The JSON of incidents: of the API, and of the messages about them."""

from typing import Any

from rest_framework import serializers

from alerts.conditions.table import CONDITIONS
from alerts.incidents.models import Incident
from ozone.wire.times import iso, iso_or_none


class IncidentReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=sorted(CONDITIONS))
    subject = serializers.CharField(help_text="Its name for people, as it was")
    device_id = serializers.IntegerField(allow_null=True)
    machine_id = serializers.IntegerField(allow_null=True)
    outlet_id = serializers.IntegerField(allow_null=True)
    since = serializers.DateTimeField(help_text="When it began, by what is known")
    opened_at = serializers.DateTimeField(help_text="When it was found")
    ended_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    times = serializers.IntegerField(help_text="How often it began: one that comes back soon is the same")
    title = serializers.CharField()
    sentence = serializers.CharField(allow_blank=True, help_text="What happened, since when, what is usual")
    advice = serializers.CharField(allow_blank=True, help_text="What to do")
    cause = serializers.CharField(allow_blank=True, help_text="The likeliest; empty where nothing tells")
    facts = serializers.DictField(help_text="What was seen")

    @classmethod
    def of(cls, incident: Incident) -> dict[str, Any]:
        person = incident.acknowledged_by
        return {
            "id": incident.pk,
            "kind": incident.kind,
            "subject": incident.subject,
            "device_id": incident.device_id,
            "machine_id": incident.machine_id,
            "outlet_id": incident.outlet_id,
            "since": iso(incident.since),
            "opened_at": iso(incident.opened_at),
            "ended_at": iso_or_none(incident.ended_at),
            "acknowledged_at": iso_or_none(incident.acknowledged_at),
            "acknowledged_by": person.get_username() if person else None,
            "note": incident.note,
            "snoozed_until": iso_or_none(incident.snoozed_until),
            "times": incident.times,
            "title": incident.title,
            "sentence": incident.sentence,
            "advice": incident.advice,
            "cause": incident.cause,
            "facts": incident.facts,
        }
