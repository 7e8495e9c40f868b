"""A closed statement's bytes never change, whatever arrives afterwards; what is different stands in the next one."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from device_gateway.registry.services import archive_device
from ledger.models import Price, Share, Statement, StatementLine
from ledger.prices.book import Book
from ledger.statements.figures import drafts
from ledger.statements.months import Month
from ledger.statements.services import close
from ozone.wire.errors import Conflict
from telemetry.events.quarantine import keep_conflicts
from telemetry.events.recount import recount_some
from telemetry.events.services import accept_refused, redate_some
from telemetry.events.storing import store_once
from telemetry.machines.bindings import archive_machine, archive_outlet, change_machine, unassign_device
from telemetry.models import DailyCount, HourlyCount, QuarantinedEvent, TelemetryEvent
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, event, press
from tests.support.length import length

STATEMENTS = "/api/statements/"
LATE = NOON - 6 * DAY
"""In February."""


def february(site: Site) -> tuple[bytes, bytes]:
    """What anybody reads of it."""
    path = f"{STATEMENTS}{site.outlet.pk}-2026-02/"
    return site.olga.get(path).body, site.olga.get(f"{path}export.csv").body


def march(site: Site) -> list[tuple[str, str, int, str, str]]:
    """The corrections in the next one: month, treatment, presses, revenue, share."""
    said = site.olga.read(f"{STATEMENTS}{site.outlet.pk}-2026-03/")
    names = ("month", "treatment", "presses", "revenue", "share")
    return [tuple(line[name] for name in names) for line in said["corrections"]]


def late_press(site: Site) -> None:
    press(site.device, LATE, received_at=NOON)


def two_late_ones(site: Site) -> None:
    press(site.device, LATE, received_at=NOON, treatment="PREMIUM")
    press(site.device, NOON - 20 * DAY, received_at=NOON)


def late_press_of_january(site: Site) -> None:
    press(site.device, NOON - 41 * DAY, received_at=NOON)


def redate_into_it(site: Site) -> None:
    """A press with an impossible clock turns out to be of February: it arrived then."""
    lost = press(site.device, NOON - 300 * DAY, received_at=LATE)
    TelemetryEvent.objects.filter(pk=lost.pk).update(clock_suspect=True)
    assert redate_some(device=site.device.pk, until=None) == 1


def redate_out_of_it(site: Site) -> None:
    TelemetryEvent.objects.filter(treatment="PREMIUM").update(clock_suspect=True, received_at=NOON)
    assert redate_some(device=site.device.pk, until=None) == 1


def accepted_conflict(site: Site) -> None:
    known = TelemetryEvent.objects.get(treatment="PREMIUM")
    again = event(site.device, LATE, event_id=known.event_id, counter=999, treatment="PREMIUM", received_at=NOON)
    keep_conflicts(connection, [(again, ("PREMIUM", known.counter, known.device_timestamp))])
    accept_refused(device=site.device, number=QuarantinedEvent.objects.get().pk, correction={})


def nothing_new(site: Site) -> None:
    known = event(site.device, LATE, received_at=NOON)
    store_once(connection, [known])
    store_once(connection, [known, known])


def counted_anew(site: Site) -> None:
    HourlyCount.objects.all().delete()
    DailyCount.objects.all().delete()
    for device in (site.device, site.other_device):
        recount_some(device=device.pk, since=None)


def other_names(site: Site) -> None:
    type(site.outlet).objects.filter(pk=site.outlet.pk).update(name="Another", address="Elsewhere")


def moved(site: Site) -> None:
    change_machine(machine=site.machine, fields={"outlet": site.other_outlet})


def taken_away(site: Site) -> None:
    unassign_device(machine=site.machine)
    archive_device(device=site.device, now=NOON)
    archive_machine(machine=site.machine)


def closed_down(site: Site) -> None:
    archive_outlet(outlet=site.outlet)


def another_price(site: Site) -> None:
    told = {"outlet": None, "treatment": "BASIC", "price": "9.99", "valid_from": "2026-03-01"}
    assert site.olga.post("/api/prices/", told).status == 201
    assert site.olga.post("/api/prices/", {**told, "outlet": site.outlet.pk}).status == 201


def refused_prices(site: Site) -> None:
    """Everything that would have been another amount in a closed month."""
    for told in [
        {"treatment": "BASIC", "price": "9.99", "valid_from": "2026-02-28", "outlet": site.outlet.pk},
        {"treatment": "BASIC", "price": "9.99", "valid_from": "2026-02-16", "outlet": site.outlet.pk},
        {"treatment": "BASIC", "price": None, "valid_from": "2026-02-20", "outlet": site.outlet.pk},
        {"treatment": "BASIC", "price": "9.99", "valid_from": "2026-02-10", "outlet": None},
        {"treatment": "PREMIUM", "price": "9.99", "valid_from": "2026-01-01", "outlet": None},
        {"treatment": "PREMIUM", "price": "9.99", "valid_from": "2026-02-28", "outlet": None},
        {"treatment": "PREMIUM", "price": "9.99", "valid_from": "2025-06-01", "outlet": site.outlet.pk},
    ]:
        refused = site.olga.post("/api/prices/", told)
        assert (refused.status, refused.json()["code"]) == (409, "statement_closed"), told
    share = {"outlet": site.outlet.pk, "percent": "50", "valid_from": "2026-02-28"}
    refused = site.olga.post("/api/shares/", share)
    assert (refused.status, refused.json()["code"]) == (409, "statement_closed")


def refused_deletions(site: Site) -> None:
    """Of whatever a closed month went by."""
    for price in Price.objects.all():
        refused = site.olga.delete(f"/api/prices/{price.pk}/")
        assert (refused.status, refused.json()["code"]) == (409, "statement_closed"), price
    refused = site.olga.delete(f"/api/shares/{Share.objects.get().pk}/")
    assert (refused.status, refused.json()["code"]) == (409, "statement_closed")


def deletions(site: Site) -> None:
    """Of what is of later or of elsewhere, or the same without."""
    for outlet, day in ((site.other_outlet.pk, "2026-02-10"), (None, "2026-03-01"), (None, "2026-02-20")):
        told = {"outlet": outlet, "treatment": "BASIC", "price": "9.99", "valid_from": day}
        made = site.olga.post("/api/prices/", told)
        assert made.status == 201
        assert site.olga.delete(f"/api/prices/{made.json()['id']}/").status == 204
    told = {"outlet": site.outlet.pk, "percent": "33.33", "valid_from": "2026-02-10"}
    made = site.olga.post("/api/shares/", told)
    assert site.olga.delete(f"/api/shares/{made.json()['id']}/").status == 204


def prices_of_elsewhere(site: Site) -> None:
    """The same day, where nothing is closed; and what holds everywhere, on days on which the outlet has its own."""
    told = {"treatment": "PREMIUM", "price": "9.99", "valid_from": "2026-02-10", "outlet": site.other_outlet.pk}
    assert site.olga.post("/api/prices/", told).status == 201
    told = {"outlet": None, "treatment": "BASIC", "price": "9.99", "valid_from": "2026-02-20"}
    assert site.olga.post("/api/prices/", told).status == 201


AFTERWARDS: list[tuple[Callable[[Site], None], list[tuple[str, str, int, str, str]]]] = [
    (late_press, [("2026-02", "BASIC", 1, "6.00", "2.00")]),
    (
        two_late_ones,
        [("2026-02", "BASIC", 1, "5.00", "1.66"), ("2026-02", "PREMIUM", 1, "12.50", "4.16")],
    ),
    (redate_into_it, [("2026-02", "BASIC", 1, "6.00", "2.00")]),
    (redate_out_of_it, [("2026-02", "PREMIUM", -1, "-12.50", "-4.17")]),
    (accepted_conflict, [("2026-02", "PREMIUM", 1, "12.50", "4.16")]),
    (counted_anew, []),
    (refused_deletions, []),
    (deletions, []),
    (prices_of_elsewhere, []),
    (late_press_of_january, []),  # no statement was made of it
    (nothing_new, [("2026-02", "BASIC", 1, "6.00", "2.00")]),
    (other_names, []),
    (moved, []),
    (taken_away, []),
    (closed_down, []),
    (another_price, []),
    (refused_prices, []),
]


@pytest.mark.each_case(9)
@pytest.mark.thorough
@pytest.mark.parametrize(("happens", "corrections"), AFTERWARDS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_happens_afterwards(
    sold: Site, happens: Callable[[Site], None], corrections: list[tuple[str, str, int, str, str]]
) -> None:
    closed = sold.olga.post(f"{STATEMENTS}{sold.outlet.pk}-2026-02/close/").json()
    before = february(sold)
    assert march(sold) == []
    happens(sold)
    assert february(sold) == before
    assert [hashlib.sha256(text).hexdigest() for text in before] == [closed["json_sha256"], closed["csv_sha256"]]
    assert march(sold) == corrections
    # In the next one alone, whatever others are looked at.
    assert sold.olga.read(f"{STATEMENTS}{sold.outlet.pk}-2026-04/")["corrections"] == []
    # Closed, it is told once: April has nothing of it.
    with time_machine.travel(datetime(2026, 4, 2, tzinfo=UTC), tick=False):
        assert sold.olga.post(f"{STATEMENTS}{sold.outlet.pk}-2026-03/close/").status == 200
        assert sold.olga.read(f"{STATEMENTS}{sold.outlet.pk}-2026-04/")["corrections"] == []
        assert february(sold) == before


def test_other_settings(sold: Site, settings: Settings) -> None:
    sold.olga.post(f"{STATEMENTS}{sold.outlet.pk}-2026-02/close/")
    before = february(sold)
    settings.CURRENCY, settings.STATS_TIME_ZONE = "JPY", "Asia/Tokyo"
    counted_anew(sold)
    assert february(sold) == before
    # What was told in another currency is not told again in this one.
    assert march(sold) == []
    # It goes on by what it used, should its currency come back.
    share = {"outlet": sold.outlet.pk, "percent": "50", "valid_from": "2026-02-10"}
    assert sold.olga.post("/api/shares/", share).status == 409
    own = Price.objects.get(outlet=sold.outlet)
    assert sold.olga.delete(f"/api/prices/{own.pk}/").status == 409
    yen = {"outlet": None, "treatment": "BASIC", "price": "700", "valid_from": "2026-02-10"}
    assert sold.olga.post("/api/prices/", yen).status == 201
    settings.CURRENCY = "EUR"
    assert march(sold) == []


@pytest.mark.alike
def test_a_row_never_changes(sold: Site) -> None:
    sold.olga.post(f"{STATEMENTS}{sold.outlet.pk}-2026-02/close/")
    row = Statement.objects.get()
    row.document = b"{}"
    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        row.delete()


@pytest.mark.alike
def test_a_price_where_there_was_none(sold: Site) -> None:
    """Nothing without a price is ever closed, so that day may still get one; a late press then counts."""
    sold.olga.post(f"{STATEMENTS}{sold.other_outlet.pk}-2025-12/close/")
    told = {"outlet": None, "treatment": "BASIC", "price": "4.00", "valid_from": "2025-12-10"}
    assert sold.olga.post("/api/prices/", told).status == 201
    press(sold.other_device, NOON - 75 * DAY, received_at=NOON)
    said = sold.olga.read(f"{STATEMENTS}{sold.other_outlet.pk}-2026-01/")
    assert [(one["month"], one["presses"], one["revenue"]) for one in said["corrections"]] == [("2025-12", 1, "4.00")]


# --- any history ---

PRESS = st.tuples(st.just("press"), st.integers(1, 90), st.sampled_from(["BASIC", "STANDARD", "PREMIUM"]))
CLOSE = st.tuples(st.just("close"), st.integers(1, 90), st.just(""))
PRICE = st.tuples(st.just("price"), st.integers(1, 120), st.sampled_from(["BASIC", "PREMIUM"]))
FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.thorough
@settings(
    max_examples=length(12, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.one_of(PRESS, PRESS, CLOSE, PRICE), min_size=5, max_size=25))
def test_any_history(site: Site, history: list[tuple[str, int, str]]) -> None:
    """Presses of any day arrive at any time, months are closed, prices are set: no bytes change, and all statements
    together have told what a count of the events says, each press at the price of its day."""
    with transaction.atomic():
        kept: dict[int, tuple[bytes, bytes]] = {}
        for place, (what, day, treatment) in enumerate(history):
            at = FIRST + (day - 1) * DAY
            now = datetime(2026, 4, 1, tzinfo=UTC) + place * HOUR
            if what == "press":
                press(site.device, at, treatment=treatment, received_at=now - SECOND)
            elif what == "price":
                told = {
                    "outlet": None,
                    "treatment": treatment,
                    "price": f"{place + 1}.00",
                    "valid_from": str(at.date()),
                }
                with time_machine.travel(now, tick=False):
                    assert site.olga.post("/api/prices/", told).status in (200, 201, 409)
            else:
                with suppress(Conflict):  # the month is not over
                    close(outlet=site.outlet, month=_next_month(site), actor=site.olga.user, now=now)
            for row in Statement.objects.all():
                assert kept.setdefault(row.number, (bytes(row.document), bytes(row.sheet))) == (
                    bytes(row.document), bytes(row.sheet),
                )  # fmt: skip
        _check_sums(site)
        transaction.set_rollback(True)


def _next_month(site: Site) -> Month:
    last = Statement.objects.filter(outlet=site.outlet).order_by("-month").first()
    return Month.of(last.month).next if last else Month(2026, 1)


def _check_sums(site: Site) -> None:
    """Told and still to tell is what there is."""
    closed = list(Statement.objects.order_by("number"))
    assert [row.number for row in closed] == list(range(1, len(closed) + 1))
    book, month = Book.read(with_shares=True), _next_month(site)
    draft = drafts(book, [site.outlet.pk], month)[site.outlet.pk]
    told = sum(json.loads(bytes(row.document))["totals"]["statement"]["presses"] for row in closed)
    events = TelemetryEvent.objects.filter(occurred_at__lt=datetime(month.year, month.number, 1, tzinfo=UTC))
    assert told + draft.corrected.presses == events.count()
    worth = sum(book.price(site.outlet.pk, one.treatment or "", one.occurred_at.date()) or 0 for one in events)
    in_lines = sum(StatementLine.objects.values_list("revenue", flat=True))
    assert in_lines + draft.corrected.revenue == worth
    assert date(2026, 1, 1) <= month.first


def test_two_at_once_have_two_numbers(write_path: None) -> None:
    """And none is left out: eight outlets closed by four threads."""
    from concurrent.futures import ThreadPoolExecutor

    from django.contrib.auth.models import User
    from django.db import connections

    from telemetry.models import Outlet

    olga = User.objects.create_user("olga", is_staff=True)
    outlets = [Outlet.objects.create(name=f"Outlet {number}") for number in range(8)]

    def closes(outlet: Outlet) -> Any:
        try:
            return close(outlet=outlet, month=Month(2026, 2), actor=olga, now=NOON).number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(closes, outlets))
    assert sorted(numbers) == list(range(1, 9))
