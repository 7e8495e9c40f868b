"""The sync log, and what is forgotten in time."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from ozone.intake.rows import insert
from ozone.wire.conf import options
from stations.models import AcknowledgedRequest, AppliedMessage, SyncLog

REPLAY_SPAN: Final = timedelta(days=7)
"""How long a body that comes again is known for a repeat. Older rows count for nothing, removed or not."""
CLEAN_EVERY: Final = 100
"""Messages between two cleanings."""
_CLEAN_ROWS: Final = 1000


def record(
    *,
    kind: str,
    serial_number: str,
    outcome: SyncLog.Outcome,
    body_hash: str,
    now: datetime,
    since: float,
    code: str = "",
    warnings: Iterable[str] = (),
) -> SyncLog:
    """A line of the sync log. `since` is on time.perf_counter; `code` belongs to a refusal, `warnings` are places."""
    line = SyncLog(
        received_at=now,
        type=kind,
        serial_number=serial_number,
        outcome=outcome,
        code=code,
        warnings=", ".join(warnings)[:200],
        milliseconds=round((time.perf_counter() - since) * 1000),
        body_hash=body_hash,
    )
    insert(line)
    return line


def clean(*, now: datetime) -> None:
    """Removes up to a thousand rows each of what has had its time; what is left over is for the next cleaning.

    Called after every hundredth message, so the tables stay bounded without a job of their own.
    """
    messages = AppliedMessage.objects.filter(applied_at__lte=now - REPLAY_SPAN).order_by("applied_at")
    lines = SyncLog.objects.filter(received_at__lte=now - timedelta(days=options().STATION_LOG_DAYS)).order_by(
        "received_at"
    )
    requests = AcknowledgedRequest.objects.filter(
        acknowledged_at__lte=now - REPLAY_SPAN,
        timestamp__lt=int(now.timestamp()) - options().IOT_SYSTEM_SIGNATURE_TIMEOUT,
    ).order_by("acknowledged_at")
    AcknowledgedRequest.objects.filter(pk__in=requests.values("pk")[:_CLEAN_ROWS]).delete()
    AppliedMessage.objects.filter(pk__in=messages.values("pk")[:_CLEAN_ROWS]).delete()
    SyncLog.objects.filter(pk__in=lines.values("pk")[:_CLEAN_ROWS]).delete()
