"""Two processes note what one device sent, each within a transaction of its own."""

import threading

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ozone.wire.errors import Invalid
from telemetry.events.payloads import Refused
from telemetry.events.storing import EventArrival, store_events
from telemetry.models import QuarantinedEvent
from telemetry.tests.conftest import Esp32

pytestmark = pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite takes one writer at a time"
)


def test_neither_waits_for_the_other_in_a_circle(esp32: Esp32, write_path: None) -> None:
    """A retry in another order: PostgreSQL would end one of the two after a second."""

    def store(*bodies: str) -> None:
        refused = [Refused(body, None, Invalid("No.")) for body in bodies]
        store_events(connection, [EventArrival(esp32.device.pk, timezone.now(), [], refused)])

    def elsewhere() -> None:
        try:
            with transaction.atomic():
                store("b", "a")
        finally:
            connection.close()

    other = threading.Thread(target=elsewhere)
    with transaction.atomic():
        store("a")
        other.start()
        other.join(0.3)
        store("b")
    other.join(5)
    found = QuarantinedEvent.objects.filter(device=esp32.device).values_list("body", "retries")
    assert sorted(found) == [("a", 1), ("b", 1)]
