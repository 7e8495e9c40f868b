"""A table that people search, sort and page through; the address holds its state."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import QueryDict

from pages.kit.filters import Filters, is_number

M = TypeVar("M", bound=Model)

PAGE_ROWS: Final = 50


class Listing(Generic[M]):
    """What the address asks for. Words it does not know are left out, as if they had not been said.

    `sorts`: by the word in `?sort=` (`-` before it turns the order round) the fields to order by; the first is the
    default. `filters`: the form of what may be chosen besides. `is_searched`: whether `?q=` is of this table.
    """

    def __init__(
        self,
        query: QueryDict,
        sorts: Mapping[str, Sequence[Any]],
        filters: type[Filters] = Filters,
        *,
        is_searched: bool = True,
    ) -> None:
        self._sorts = sorts
        self.words = (
            query.get("q", "").replace("\0", "").strip()[:100] if is_searched else ""
        )  # PostgreSQL takes no NUL
        sort = query.get("sort", "")
        self.sort = sort if sort.removeprefix("-") in sorts else next(iter(sorts))
        self.chosen = filters.chosen_in(query)
        number = query.get("page", "")
        self.number = int(number) if is_number(number) else 1
        self.total = self.pages = 0

    def cut(self, found: "QuerySet[M]") -> "QuerySet[M]":
        """The rows of this page, in order; `total` and `pages` are then known."""
        self.total = found.count()
        self.pages = max(1, -(-self.total // PAGE_ROWS))
        self.number = max(1, min(self.number, self.pages))
        start = (self.number - 1) * PAGE_ROWS
        fields = self._sorts[self.sort.removeprefix("-")]
        ordered = found.order_by(*fields, "pk")
        return (ordered.reverse() if self.sort.startswith("-") else ordered)[start : start + PAGE_ROWS]

    def href(self, **changes: Any) -> str:
        """The address of this table with the changes; another sort or filter begins at its first page."""
        state = {"q": self.words, **self.chosen, "sort": self.sort, "page": 1, **changes}
        usual = {"sort": next(iter(self._sorts)), "page": 1}
        return "?" + urlencode({name: value for name, value in state.items() if value and value != usual.get(name)})

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
        return (self.number - 1) * PAGE_ROWS + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.number * PAGE_ROWS, self.total)
