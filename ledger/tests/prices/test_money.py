"""Money: decimal text outside, whole numbers within; what holds on which day. No database."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.prices import money
from ledger.prices.book import Book, Span

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize(
    ("words", "currency", "amount"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "MYR", 1200),
        ("0", "EUR", 0),
        ("12.5000", "EUR", 1250),
        ("500", "JPY", 500),
        ("500.0", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("9999999999.99", "EUR", 10**12 - 1),
    ],
)
def test_read(words: str, currency: str, amount: int) -> None:
    assert money.read(words, currency) == amount


@pytest.mark.parametrize(
    "words", ["", "-1", "+1", "1,5", "1.", ".5", "1.505", "1e3", "NaN", "٣", " 1", "10000000000", "1_0"]
)
def test_what_is_no_amount(words: str) -> None:
    with pytest.raises(ValueError, match="at most 2 places for EUR"):
        money.read(words, "EUR")
    with pytest.raises(ValueError):
        money.read("1.5", "JPY")


@given(st.integers(-money.MOST, money.MOST), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_written_and_read_it_is_the_same(amount: int, currency: str) -> None:
    words = money.text(amount, currency)
    assert "e" not in words.lower()
    assert (-1 if amount < 0 else 1) * money.read(words.removeprefix("-"), currency) == amount


@pytest.mark.parametrize(
    ("amount", "hundredths", "share"),
    [
        (1000, 3000, 300),
        (333, 5000, 167),
        (-333, 5000, -167),
        (1, 4999, 0),
        (1, 5000, 1),
        (0, 10_000, 0),
        (7, 10_000, 7),
    ],
)
def test_a_share_is_rounded_half_away_from_zero(amount: int, hundredths: int, share: int) -> None:
    assert money.share_of(amount, hundredths) == share


@pytest.mark.parametrize(("words", "hundredths"), [("30", 3000), ("12.5", 1250), ("0.01", 1), ("100.00", 10_000)])
def test_percent(words: str, hundredths: int) -> None:
    assert money.read_percent(words) == hundredths
    assert money.read_percent(money.percent_text(hundredths)) == hundredths


@pytest.mark.parametrize("words", ["100.01", "-1", "1.234", "x", ""])
def test_what_is_no_percentage(words: str) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        money.read_percent(words)


def book() -> Book:
    """Everywhere 5.00 from March, 6.00 from 15 March; at outlet 7 from 10 to 20 March 4.00; its share 30 % from 12."""
    made = Book("EUR")
    made.set_price(None, "BASIC", date(2026, 3, 15), 600)
    made.set_price(None, "BASIC", date(2026, 3, 1), 500)
    made.set_price(7, "BASIC", date(2026, 3, 10), 400)
    made.set_price(7, "BASIC", date(2026, 3, 20), None)
    made.set_share(7, date(2026, 3, 12), 3000)
    return made


@pytest.mark.parametrize(
    ("day", "elsewhere", "own"),
    [(28, None, None), (1, 500, 500), (9, 500, 500), (10, 500, 400), (15, 600, 400), (19, 600, 400), (20, 600, 600)],
)
def test_a_price_holds_from_its_day_until_the_next(day: int, elsewhere: int | None, own: int | None) -> None:
    on = date(2026, 2 if day == 28 else 3, day)
    assert book().price(8, "BASIC", on) == book().price(0, "BASIC", on) == elsewhere
    assert book().price(7, "BASIC", on) == own
    assert book().price(7, "PREMIUM", on) is None


def test_what_is_free_at_an_outlet_costs_nothing_there() -> None:
    made = book()
    made.set_price(7, "BASIC", date(2026, 3, 18), 0)
    assert made.rates(7, date(2026, 3, 18)).prices == (0, None, None)
    assert made.price(8, "BASIC", date(2026, 3, 18)) == 600


def test_spans_are_cut_where_anything_begins() -> None:
    days = [(span.first.day, span.last.day) for span in book().spans(date(2026, 3, 1), date(2026, 3, 31))]
    assert days == [(1, 9), (10, 11), (12, 14), (15, 19), (20, 31)]
    assert book().spans(date(2026, 3, 21), date(2026, 3, 22)) == [Span(date(2026, 3, 21), date(2026, 3, 22))]


def test_one_of_the_same_day_takes_its_place() -> None:
    changed = book()
    changed.set_price(None, "BASIC", date(2026, 3, 15), 700)
    assert changed.price(8, "BASIC", date(2026, 3, 15)) == 700
    assert changed.rates(7, date(2026, 3, 12)) == ((400, None, None), 3000)
