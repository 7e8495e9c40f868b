"""Runners in processes of their own, which the test kills: `python -m alerts.tests.deliveries.runners`.

Each line `start` on its standard input begins one more, and is answered by its process id. A runner is a child that was
forked with all modules loaded, so that two hundred of them cost no more than their work.
"""

import os
import signal
import sys
import time
from datetime import timedelta
from typing import NoReturn

import django
from django.conf import settings
from django.db import OperationalError

CLAIM_LIFE = timedelta(seconds=5)
"""Of a runner that is killed; a real one's is a minute."""


def main() -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    for line in sys.stdin:
        if line.strip() != "start":
            break
        if (child := os.fork()) == 0:
            run()
        print(child, flush=True)


def run() -> NoReturn:
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
