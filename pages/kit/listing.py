"""A table that people search, sort and page through; the address holds its state."""

from collections.abc import Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

from django.db.models import F, Model, OrderBy, QuerySet
from django.http import QueryDict

from pages.kit.filters import Filters, is_number
from telemetry.finding import asked

M = TypeVar("M", bound=Model)

PAGE_ROWS: Final = 50
COUNTED: Final = 10_000
"""Rows that are counted, on the first pages; of more it is said that there are."""


class Badge(NamedTuple):
    """A word about a row, as `kit/badge.html` shows it: `value` says in which colours."""

    value: str
    label: str


class Sort:
    """One order of a table: the title of the column that it is by, and the fields to order by."""

    def __init__(self, title: str, *fields: Any) -> None:
        self.title = title
        self.fields = fields


def up(*texts: str) -> list[OrderBy]:
    """By these texts, which have a column that keeps their order; last those whose row is not there."""
    return [F(f"{text}_order").asc(nulls_last=True) for text in texts]


class Listing(Generic[M]):
    """What the address asks for. Words it does not know are left out, as if they had not been said.

    `sorts`: by the word in `?sort=` (`-` before it turns the order round); the first is the default. `filters`: the
    form of what may be chosen besides. `is_searched`: whether `?q=` is of this table. `rows`: of a page.
    """

    def __init__(
        self,
        query: QueryDict,
        sorts: Mapping[str, Sort],
        filters: type[Filters] = Filters,
        *,
        is_searched: bool = True,
        rows: int = PAGE_ROWS,
    ) -> None:
        self.sorts = sorts
        self.rows = rows
        self.words = asked(query.get("q", "")) if is_searched else ""
        sort = query.get("sort", "")
        self.sort = sort if sort.removeprefix("-") in sorts else next(iter(sorts))
        self.chosen = filters.chosen_in(query)
        number = query.get("page", "")
        self.number = int(number) if is_number(number) else 1
        self.total = self.pages = 0
        self.has_uncounted = False

    def cut(self, found: "QuerySet[M]") -> "QuerySet[M]":
        """The rows of this page, in order; `total` and `pages` are then known.

        Counted is as far as COUNTED rows, or to the end of this page; whether there are more is `has_uncounted`, and
        `pages` is then the least there can be.
        """
        most = max(COUNTED, self.number * self.rows)
        there = found.order_by()[: most + 1].count()
        self.has_uncounted = there > most
        self.total = min(there, most)
        self.pages = max(1, -(-there // self.rows))
        self.number = max(1, min(self.number, self.pages))
        start = (self.number - 1) * self.rows
        ordered = found.order_by(*self.sorts[self.sort.removeprefix("-")].fields, "pk")
        return (ordered.reverse() if self.sort.startswith("-") else ordered)[start : start + self.rows]

    def href(self, **changes: Any) -> str:
        """The address of this table with the changes; another sort or filter begins at its first page."""
        state = {"q": self.words, **self.chosen, "sort": self.sort, "page": 1, **changes}
        usual = {"sort": next(iter(self.sorts)), "page": 1}
        return "?" + urlencode({name: value for name, value in state.items() if value and value != usual.get(name)})

    @property
    def orders(self) -> list[tuple[str, str]]:
        """Each word that `?sort=` may be, and how it reads: for where no column's head is in sight."""
        return [
            (f"{sign}{word}", f"{sort.title} {arrow}")
            for word, sort in self.sorts.items()
            for sign, arrow in (("", "↑"), ("-", "↓"))
        ]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words) or any(self.chosen.values())

    @property
    def newer(self) -> str:
        return self.href(page=self.number - 1) if self.number > 1 else ""

    @property
    def older(self) -> str:
        return self.href(page=self.number + 1) if self.number < self.pages else ""

    @property
    def first(self) -> int:
        return (self.number - 1) * self.rows + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.number * self.rows, self.total)
