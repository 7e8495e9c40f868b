"""What is asked again and again is found by an index, however long the log is."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet

from alerts.channels.models import Channel
from alerts.deliveries.models import Delivery
from telemetry.tests.cast import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

ASKED: "list[tuple[str, QuerySet[Any]]]" = [
    ("channel_wakes", Channel.objects.filter(wakes_at__lte=NOON).order_by("wakes_at")),
    ("delivery_open", Delivery.yet_to_send(Channel(pk=1)).filter(next_try__lte=NOON).order_by("next_try")),
    ("delivery_state", Delivery.objects.filter(state="sending", claimed_until__lt=NOON).order_by()),
    ("delivery_state", Delivery.objects.filter(state="sending", claim=uuid4()).order_by("id")),
    ("delivery_state", Delivery.objects.filter(state="failed").order_by("-id")[:100]),
    ("delivery_person", Delivery.objects.filter(person_id=1).order_by("-id")[:100]),
    ("delivery_channel", Delivery.objects.filter(channel_id=1).order_by("-id")[:100]),
    ("delivery_created", Delivery.objects.filter(created_at__lt=NOON).order_by("created_at")[:500]),
]


@pytest.mark.parametrize(("index", "asked"), ASKED)
def test_by_its_index(index: str, asked: "QuerySet[Any]") -> None:
    sql, parameters = asked.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        plan = [str(row[-1]) for row in cursor.fetchall()]
    assert index in plan[0] and "TEMP B-TREE" not in "".join(plan), plan
