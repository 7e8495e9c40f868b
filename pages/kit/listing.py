"""A table that people search, sort and page through; the address holds its state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

from django.db.models import F, Model, OrderBy, Q, QuerySet
from django.http import QueryDict

from pages.kit.filters import Filters, is_number
from telemetry.finding import asked

M = TypeVar("M", bound=Model)

PAGE_ROWS: Final = 50
COUNTED: Final = 10_000
"""Rows that are counted, on the first pages; of more it is said that there are."""
FEW: Final = 2_000
"""Found rows of which the first are looked for by their keys: by the index of an order the database would go through
all rows there are, where it expects more of them to be found."""


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


class Stage(NamedTuple):
    """Rows that come before or after all others of a list, and the fields that put them in order."""

    condition: Q
    fields: Sequence[Any]


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

    def cut(self, found: "QuerySet[M]", stages: Callable[[int], Sequence[Stage]] | None = None) -> "QuerySet[M]":
        """The rows of this page, in order; `total` and `pages` are then known.

        Counted is as far as COUNTED rows, or to the end of this page; whether there are more is `has_uncounted`, and
        `pages` is then the least there can be. Of so many, `stages` says in which parts the first so many rows are
        found sooner than by putting all of them in order.
        """
        most = max(COUNTED, self.number * self.rows)
        keys = found.order_by().values_list("pk", flat=True)[: most + 1]
        few = list(keys) if self.is_narrowed else None
        there = keys.count() if few is None else len(few)
        self.has_uncounted = there > most
        self.total = min(there, most)
        self.pages = max(1, -(-there // self.rows))
        self.number = max(1, min(self.number, self.pages))
        start = (self.number - 1) * self.rows
        fields = self.sorts[self.sort.removeprefix("-")].fields
        if self.has_uncounted:
            in_parts = stages(start + self.rows) if stages is not None and start < COUNTED else [Stage(Q(), fields)]
            few, start = self._first(found, in_parts, start), 0
        if few is not None and len(few) <= FEW:
            found = found.filter(pk__in=few)
            if len(few) > self.rows:
                # All of them, so that no index of the order is gone through for the first.
                few = list(self._ordered(found, fields).values_list("pk", flat=True))[start : start + self.rows]
                found, start = found.filter(pk__in=few), 0
        return self._ordered(found, fields)[start : start + self.rows]

    def _first(self, found: "QuerySet[M]", stages: Sequence[Stage], start: int) -> list[Any]:
        """The keys of this page's rows. What is shown of them is read for them alone."""
        keys: list[Any] = []
        for stage in stages:
            rows = self._ordered(found.filter(stage.condition), stage.fields).values_list("pk", flat=True)
            if len(stages) == 1:
                return list(rows[start : start + self.rows])
            keys += rows[: start + self.rows - len(keys)]
            if len(keys) == start + self.rows:
                break
        return keys[start:]

    def _ordered(self, found: "QuerySet[M]", fields: Sequence[Any]) -> "QuerySet[M]":
        ordered = found.order_by(*fields, "pk")
        return ordered.reverse() if self.sort.startswith("-") else ordered

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
