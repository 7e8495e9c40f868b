"""`python -m bench.followers`: what the processes that lead do at their start, in the database of DATABASE_URL, as a
line of JSON.

`armed_s`: until alerts have gone through all devices and looked at each once, with no pause between their steps, or
WITHIN seconds are over; `devices`: how many of them have a time by then; `alerts_step_ms`, `ledger_step_ms`: of the
longest step; `ledger_rate`: devices a second that the ledger looks into.
"""

import json
import os
import time

import django

WITHIN = 60.0
LEDGER_SECONDS = 10.0


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    from django.utils import timezone

    from alerts.models import Watch
    from alerts.runner.passing import Passing
    from ledger import following

    look = Passing()
    began = time.monotonic()
    alerts, is_more = [], True
    while is_more and time.monotonic() - began < WITHIN:
        before = time.monotonic()
        is_more = look(timezone.now(), before)
        alerts.append(time.monotonic() - before)
    armed = time.monotonic() - began
    began, ledger, is_more = time.monotonic(), [], True
    while is_more and time.monotonic() - began < LEDGER_SECONDS:
        before = time.monotonic()
        is_more = following.step()
        ledger.append(time.monotonic() - before)
    found = {
        "armed_s": armed,
        "devices": Watch.objects.filter(alert_after__gt=timezone.now()).count(),
        "alerts_step_ms": 1000 * max(alerts),
        "ledger_step_ms": 1000 * max(ledger),
        "ledger_rate": len(ledger) / (time.monotonic() - began),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
