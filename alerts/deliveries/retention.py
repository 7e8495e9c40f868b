"""What has been kept for long enough goes: the log of what was sent, and incidents that have ended. Both by index, some
at a time. Incidents that are open stay."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from alerts.deliveries.models import Delivery
from alerts.incidents.models import Incident
from ozone.wire.conf import options

AT_A_TIME: Final = 200
"""Rows that go in one transaction: with each incident the log's rows and its members let go of it."""


def prune(now: datetime) -> bool:
    """Ends the oldest rows; whether there may be more."""
    sent = Delivery.objects.filter(created_at__lt=now - timedelta(days=options().DELIVERY_LOG_DAYS))
    ended = Incident.objects.filter(ended_at__lt=now - timedelta(days=options().INCIDENT_DAYS))
    return _drop(sent.order_by("created_at")) | _drop(ended.order_by("ended_at"))


def _drop(rows: "QuerySet[Any]") -> bool:
    numbers = list(rows.values_list("pk", flat=True)[:AT_A_TIME])
    if numbers:
        rows.model._default_manager.filter(pk__in=numbers).delete()
    return len(numbers) == AT_A_TIME
