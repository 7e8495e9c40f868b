"""Runners in processes of their own, which the test kills: `python -m alerts.tests.forge`.

Each line on its standard input begins one more, and is answered by its process id: `send`, one that sends, whoever
leads; `alerts`, the whole of `manage.py alerts`, with times that are shorter than real ones. A runner is a child that
was forked with all modules loaded, so that two hundred of them cost no more than their work.
"""

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import NoReturn

import django
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError

CLAIM_LIFE = timedelta(seconds=5)
"""Of a runner that is killed; a real one's is a minute."""


def main() -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    kinds = {"send": send, "alerts": alerts}
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            kinds[line.strip()]()
        print(child, flush=True)


def alerts() -> NoReturn:
    """A lease of two seconds instead of nine, messages at once."""
    from alerts.deliveries import announcing, claiming, sender
    from device_gateway import leading

    leading.LEASE, leading.RENEWED, leading.LOOK = timedelta(seconds=2), 0.5, 0.1  # type: ignore[misc]
    claiming.PACE = claiming.GATHER = announcing.GATHER = timedelta(milliseconds=200)  # type: ignore[misc]
    sender.RECOVERED, sender.sender._claim_life = 0.5, CLAIM_LIFE  # type: ignore[misc]
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with open(os.devnull, "w") as nowhere:
        call_command("alerts", stdout=nowhere)
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def send() -> NoReturn:
    """Steps until it is killed, or its parent is gone. It does not ask who leads: all of them do."""
    from alerts.deliveries import sender

    sender.RECOVERED = 0.2  # type: ignore[misc]
    own = sender.Sender(CLAIM_LIFE)
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            if not own.step():
                time.sleep(0.01)
        except OperationalError:  # SQLite's lock is another's for too long: as Leading does
            time.sleep(0.1)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    django.setup()
    main()
