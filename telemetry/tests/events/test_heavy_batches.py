"""Batches of events, behind which readings wait: half as many share a transaction as of readings, for an event takes as
long as two; and what is refused goes in by few statements."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import REGISTRY

from device_gateway.tests.conftest import eventually
from ozone.intake import lane, write_path
from ozone.intake.submission import LARGE_TOGETHER
from ozone.intake.turns import turns
from ozone.wire.errors import Invalid
from telemetry.events.payloads import Refused
from telemetry.events.quarantine import CONFLICT
from telemetry.events.storing import EventArrival, store_events
from telemetry.models import QuarantinedEvent
from telemetry.tests.cast import event
from telemetry.tests.conftest import EVENTS, Esp32


def larger_commits() -> float:
    """Transactions of more than 512 rows until now."""
    found = (REGISTRY.get_sample_value("ozone_commit_rows_bucket", {"le": most}) for most in ("+Inf", "512.0"))
    every, small = (value or 0.0 for value in found)
    return every - small


@pytest.mark.sqlite_only
def test_two_large_batches_of_events_share_no_transaction(esp32: Esp32, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "LOCK_MILLISECONDS", 3_500)  # on a busy machine all takes longer than was meant
    before = larger_commits()
    batches = [[esp32.event() for _ in range(LARGE_TOGETHER // 2)] for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        with turns.one():  # at most one of them is with the writer, which waits; the others wait together
            answers = [threads.submit(esp32.door.post, EVENTS, batch, esp32.token) for batch in batches]
            assert eventually(lambda: write_path.depth >= 2, 3)
        assert [answer.result(10).status for answer in answers] == [200] * 3
    assert larger_commits() == before
    assert len(esp32.events()) == 3 * LARGE_TOGETHER // 2


def test_many_refused_events_take_no_more_statements_than_a_few(esp32: Esp32) -> None:
    """One each held up everybody else for seconds."""

    def statements(number: int) -> int:
        refused = [Refused(f"{number} {place}", None, Invalid("No.")) for place in range(number)]
        with transaction.atomic(), CaptureQueriesContext(connection) as seen:
            store_events(connection, [EventArrival(esp32.device.pk, timezone.now(), [], refused)])
        return len(seen)

    few = statements(2)
    assert statements(100) == few
    assert QuarantinedEvent.objects.count() == 102


def test_many_conflicts_take_no_more_statements_and_lines_of_the_log_than_a_few(
    esp32: Esp32, caplog: pytest.LogCaptureFixture
) -> None:
    """A device may send any number of events under one id."""
    now = timezone.now().replace(microsecond=0)

    def statements(counters: range) -> int:
        told = [event(esp32.device, now, counter=counter, event_id="used") for counter in counters]
        caplog.clear()
        with transaction.atomic(), CaptureQueriesContext(connection) as seen:
            store_events(connection, [EventArrival(esp32.device.pk, now, told)])
        assert [record.message for record in caplog.records] == [
            f"events: device {esp32.device.pk} sends {len(counters)} again with other content, 'used' first;"
            " the second is kept as a conflict"
        ]
        return len(seen)

    store_events(connection, [EventArrival(esp32.device.pk, now, [event(esp32.device, now, event_id="used")])])
    few = statements(range(10, 12))
    assert statements(range(20, 120)) == few
    assert QuarantinedEvent.objects.filter(code=CONFLICT).count() == 102
