"""An event takes the writer as long as two readings: half as many share a transaction, behind which readings wait."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from device_gateway.tests.conftest import eventually
from ozone.intake import lane, write_path
from ozone.intake.submission import LARGE_TOGETHER
from ozone.intake.turns import turns
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
