"""What holds on which day: all prices and shares, read once, then asked without a query."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

from ledger.prices.models import Price, Share
from ozone.wire.conf import options
from telemetry.treatments import TREATMENTS

DAY: Final = timedelta(days=1)
_EVERYWHERE: Final = 0
"""In the place of an outlet's number."""

Amounts = tuple[int | None, ...]
"""A price for each of TREATMENTS; None: it has none."""


class Span(NamedTuple):
    """Days, both inclusive, on which nothing changes."""

    first: date
    last: date


class Rates(NamedTuple):
    """What holds at an outlet on a day."""

    prices: Amounts
    share: int
    """In hundredths of a percent."""


class _Line:
    """Values by the day from which each holds."""

    def __init__(self) -> None:
        self.days: list[date] = []
        self.values: list[int | None] = []

    def add(self, day: date, value: int | None) -> None:
        place = bisect_right(self.days, day)
        if place and self.days[place - 1] == day:
            self.values[place - 1] = value
        else:
            self.days.insert(place, day)
            self.values.insert(place, value)

    def drop(self, day: date) -> None:
        place = self.days.index(day)
        del self.days[place], self.values[place]

    def on(self, day: date) -> int | None:
        place = bisect_right(self.days, day)
        return self.values[place - 1] if place else None


class Book:
    """Prices of one currency, and shares."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self._prices: dict[tuple[int, str], _Line] = {}
        self._shares: dict[int, _Line] = {}
        self._own: set[int] = set()
        self._known: dict[tuple[int, date], Amounts] = {}

    @classmethod
    def read(cls, currency: str | None = None, *, with_shares: bool = False) -> "Book":
        """As it is stored, in CURRENCY or another; a query, and one for the shares."""
        book = cls(currency or options().CURRENCY)
        columns = ("outlet_id", "treatment", "valid_from", "amount")
        for outlet, treatment, day, amount in Price.objects.filter(currency=book.currency).values_list(*columns):
            book.set_price(outlet, treatment, day, amount)
        if not with_shares:
            return book
        for outlet, day, hundredths in Share.objects.values_list("outlet_id", "valid_from", "hundredths"):
            book.set_share(outlet, day, hundredths)
        return book

    def set_price(self, outlet: int | None, treatment: str, day: date, amount: int | None) -> None:
        self._prices.setdefault((outlet or _EVERYWHERE, treatment), _Line()).add(day, amount)
        self._own.add(outlet or _EVERYWHERE)
        self._known.clear()

    def set_share(self, outlet: int, day: date, hundredths: int) -> None:
        self._shares.setdefault(outlet, _Line()).add(day, hundredths)

    def drop_price(self, outlet: int | None, treatment: str, day: date) -> None:
        self._prices[outlet or _EVERYWHERE, treatment].drop(day)
        self._known.clear()

    def drop_share(self, outlet: int, day: date) -> None:
        self._shares[outlet].drop(day)

    @property
    def has_prices(self) -> bool:
        return bool(self._prices)

    @property
    def is_one_everywhere(self) -> bool:
        """Whether no outlet has, had or will have a price of its own."""
        return self._own <= {_EVERYWHERE}

    def own_price(self, outlet: int, treatment: str, day: date) -> int | None:
        line = self._prices.get((outlet, treatment))
        return line.on(day) if line else None

    def price(self, outlet: int, treatment: str, day: date) -> int | None:
        """Without an outlet (0) that which holds everywhere."""
        own = self.own_price(outlet, treatment, day)
        return self.own_price(_EVERYWHERE, treatment, day) if own is None else own

    def prices(self, outlet: int, day: date) -> Amounts:
        """Remembered: of all outlets without prices of their own there is one."""
        key = (outlet if outlet in self._own else _EVERYWHERE, day)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(self.price(key[0], treatment, day) for treatment in TREATMENTS)
        return found

    def rates(self, outlet: int, day: date) -> Rates:
        share = self._shares.get(outlet)
        return Rates(self.prices(outlet, day), (share.on(day) or 0) if share else 0)

    def spans(self, first: date, last: date) -> list[Span]:
        """The days from `first` to `last`, cut wherever a price or share of any outlet begins."""
        lines = (*self._prices.values(), *self._shares.values())
        return list(_cut(first, last, (day for line in lines for day in line.days)))

    def timeline(self, outlet: int, first: date, last: date) -> list[tuple[date, Rates]]:
        """What holds at the outlet, day by day where it may change."""
        return [(span.first, self.rates(outlet, span.first)) for span in self.spans(first, last)]


def _cut(first: date, last: date, days: Iterable[date]) -> Iterator[Span]:
    begins = sorted({first, *(day for day in days if first < day <= last)})
    for begin, after in zip(begins, [*begins[1:], last + DAY], strict=True):
        yield Span(begin, after - DAY)
