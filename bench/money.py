"""`python -m bench.money`: what money costs in the database of DATABASE_URL, which
`python -m bench.history 10000000 500` has filled: a month's statements, closing them, the month after it, and the
dashboard's beginning.

In one process, without a server: printed as JSON are the seconds (`…_s`) or milliseconds (`…_ms`) of each, and of the
processor (`…_cpu`), which tells more where the machine has other things to do.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django

EVENTS, OUTLETS = 10_000_000, 500
MORNINGS = 7
PRICES = {"BASIC": 800, "STANDARD": 1200, "PREMIUM": 1850}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    print(json.dumps(measure()))


def measure() -> dict[str, Any]:
    """A figure: `month`, `close`, `next` in seconds; `morning` (25 outlets) and `morning_all` in milliseconds."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from ledger.statements import queries, services
    from ledger.statements.months import Month

    now, figures = timezone.now(), _Figures()
    staff, _ = User.objects.get_or_create(username="bench-money", is_staff=True)
    _prepare(now)
    month = Month.at(now).plus(-2)
    with figures.seconds("month"):
        told = queries.of_month(queries.outlets_of(month), month, now)
    figures.expect(len(told), OUTLETS, f"statements of {month}")
    with figures.seconds("close"):
        closed, refused = services.close_all(outlets=queries.outlets_of(month), month=month, actor=staff, now=now)
    figures.expect((closed, len(refused)), (OUTLETS, 0), "closed and refused")
    with figures.seconds("next"):
        told = queries.of_month(queries.outlets_of(month.next), month.next, now)
    figures.expect(sum(len(one.said["corrections"]) for one in told), 0, "corrections of what nobody has changed")
    _mornings(figures, staff)
    return figures.found


def _mornings(figures: "_Figures", staff: Any) -> None:
    """Each as it is built first within its minute, and rendered."""
    from django.test import Client

    from pages.dashboard.earned import remembered
    from pages.kit import live

    client = Client(SERVER_NAME="localhost")
    client.force_login(staff)
    for name, path in (("morning", "/"), ("morning_all", "/?outlets=all")):
        client.get(path)  # what was usual until midnight is worked out once a day
        walls, cpus = [], []
        for _ in range(MORNINGS):
            live.built.clear()
            live._row.cache_clear()
            remembered.cache_clear()
            wall, cpu = time.perf_counter(), time.thread_time()
            reply = client.get(path, secure=True)
            walls.append(1e3 * (time.perf_counter() - wall))
            cpus.append(1e3 * (time.thread_time() - cpu))
            figures.expect(reply.status_code, 200, path)
        figures.found |= {f"{name}_ms": statistics.median(walls), f"{name}_cpu": statistics.median(cpus)}


def _prepare(now: Any) -> None:
    """Prices everywhere and at one outlet of ten, shares, opening hours; all machines have just been heard."""
    from device_gateway.models import DeviceState
    from ledger.models import Price, Share
    from telemetry.models import Outlet

    outlets = list(Outlet.objects.order_by("pk"))
    since, currency = (now - timedelta(days=400)).date(), "EUR"
    prices = [
        Price(outlet=outlet, treatment=treatment, currency=currency, amount=amount + place, valid_from=since)
        for place, outlet in enumerate([None, *outlets[::10]])
        for treatment, amount in PRICES.items()
    ]
    Price.objects.bulk_create(prices, ignore_conflicts=True)
    Share.objects.bulk_create(
        [Share(outlet=outlet, hundredths=3000, valid_from=since) for outlet in outlets], ignore_conflicts=True
    )
    Outlet.objects.update(opening_hours="08:00-20:00")
    DeviceState.objects.update(last_poll=now, last_seen=now)


class _Figures:
    def __init__(self) -> None:
        self.found: dict[str, Any] = {"problems": []}

    @contextmanager
    def seconds(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        self.found[f"{name}_s"] = time.perf_counter() - wall
        self.found[f"{name}_cpu"] = time.thread_time() - cpu
        print(f"{name}: {self.found[f'{name}_s']:.2f} s", file=sys.stderr)

    def expect(self, told: Any, wanted: Any, what: str) -> None:
        if told != wanted:
            self.found["problems"].append(f"{told} instead of {wanted}: {what}")


if __name__ == "__main__":
    main()
