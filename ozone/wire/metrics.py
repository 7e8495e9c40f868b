"""What `GET /metrics` counts. With several processes, PROMETHEUS_MULTIPROC_DIR adds them up (`serve` sets it)."""

import os
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from prometheus_client import REGISTRY as PROCESS_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Any other word is counted as `other`: a stranger can invent any number of them, and each would stay for ever."""

REQUESTS = Counter("ozone_requests_total", "Requests by route, method and status", ["route", "method", "status"])
REJECTED = Counter("ozone_rejected_total", "Refused requests by their error code", ["reason"])
QUEUE_DEPTH = Gauge(
    "ozone_write_queue_submissions", "Submissions waiting for their commit", multiprocess_mode="livesum"
)
COMMIT_SECONDS = Histogram(
    "ozone_commit_seconds",
    "Time of one group commit, from BEGIN to the end of COMMIT",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
COMMIT_ROWS = Histogram(
    "ozone_commit_rows",
    "Rows that shared one commit",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096),
)


@lru_cache(maxsize=4096)
def _requests(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, str(status))


def count_request(route: str, method: str, status: int, code: str | None = None) -> None:
    """One reply; `code` is the stable word of an error."""
    _requests(route, method if method in METHODS else "other", status).inc()
    if code is not None:
        REJECTED.labels(code).inc()


def rejected(codes: Collection[str]) -> float:
    """How many requests of all processes were refused by these codes since they started."""
    found = _registry().get_sample_value
    return sum(found("ozone_rejected_total", {"reason": code}) or 0.0 for code in codes)


def render() -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(_registry())


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return PROCESS_REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry
