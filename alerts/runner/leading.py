"""The runner of a process: it looks while it leads, and sends whether it leads or not."""

import time
from typing import Final, Protocol

from django.utils import timezone
from prometheus_client import Gauge

from alerts.conditions.table import CONDITIONS
from alerts.incidents.queries import open_by_kind
from alerts.runner.passing import Passing
from device_gateway.leading import Leading

OPEN: Final = Gauge("ozone_incidents_open", "Open incidents by kind", ["kind"], multiprocess_mode="mostrecent")
COUNTED: Final = 10.0
"""Seconds between two counts for the metrics."""


class Worker(Protocol):
    """Something with threads of its own that begins and ends with the runner."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Runner:
    """Started in each process that serves, or by `manage.py alerts`. One of them leads (device_gateway.leading)."""

    def __init__(self) -> None:
        self.beside: list[Worker] = []
        """Started and stopped with it, in every process."""
        self._pass = Passing()
        self._counted_at = float("-inf")
        self._leading = Leading("alerts", self._step)

    def start(self) -> None:
        self._leading.start()
        for worker in self.beside:
            worker.start()

    def stop(self) -> None:
        self._leading.stop()
        for worker in self.beside:
            worker.stop()

    def _step(self) -> bool:
        monotonic = time.monotonic()
        is_more = self._pass(timezone.now(), monotonic)
        if monotonic - self._counted_at >= COUNTED:
            self._counted_at = monotonic
            numbers = open_by_kind()
            for kind in CONDITIONS:
                OPEN.labels(kind).set(numbers.get(kind, 0))
        return is_more


runner: Final = Runner()
