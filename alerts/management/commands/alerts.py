"""The runner by itself, for a server whose processes do not run it."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from alerts.runner.leading import runner


class Command(BaseCommand):
    help = "Looks for what people are to be told, and tells them, until it is stopped. `serve` does so by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        runner.start()
        self.stdout.write("Alerts: running. Another process may lead; then this one waits to take over.")
        self.stdout.flush()
        ended.wait()
        runner.stop()
