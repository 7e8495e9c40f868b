"""A statement as it is read and printed."""

from decimal import Decimal
from typing import Any, NamedTuple

from ledger.lines.models import Kind
from ledger.statements.queries import Told
from ozone.wire.times import parse_iso

_NO_PRICE = "no price"


class SheetLine(NamedTuple):
    """`of`: the days of the month, or of a correction the month."""

    treatment: str
    of: str
    presses: str
    price: str
    revenue: str
    percent: str
    share: str


class SheetSums(NamedTuple):
    title: str
    presses: str
    revenue: str
    share: str
    remainder: str


def amount(words: str) -> str:
    """Decimal text as people read it."""
    return f"{Decimal(words):,}".replace("-", "−")


def sheet(told: Told) -> dict[str, Any]:
    """For the template."""
    said = told.said
    titles = {"month": said["month"], "corrections": "Corrections", "statement": "This statement"}
    shown = titles if said["corrections"] else {"month": "This statement"}
    return {
        "said": said,
        "told": told,
        "closed_at": said["closed_at"] and parse_iso(said["closed_at"]),
        "lines": [_line(line, ", ".join(map(_days, line["days"]))) for line in said["lines"]],
        "corrections": [_line(line, line["month"]) for line in said["corrections"]],
        "unexplained": [(one["presses"], Kind(one["kind"]).label) for one in said["unexplained"]],
        "sums": [_sums(title, said["totals"][name]) for name, title in shown.items()],
    }


def _days(span: dict[str, str]) -> str:
    """Of the month: `1–31`."""
    first, last = int(span["from"][-2:]), int(span["until"][-2:])
    return str(first) if first == last else f"{first}–{last}"


def _line(line: dict[str, Any], of: str) -> SheetLine:
    price = _NO_PRICE if line["price"] is None else amount(line["price"])
    settled = f" ({line['settled']:+,} settled)" if line.get("settled") else ""
    numbers = (f"{line['presses']:,}{settled}".replace("-", "−"), price, amount(line["revenue"]))
    return SheetLine(line["treatment"].capitalize(), of, *numbers, f"{line['share_percent']} %", amount(line["share"]))


def _sums(title: str, sums: dict[str, Any]) -> SheetSums:
    presses = f"{sums['presses']:,}".replace("-", "−")
    return SheetSums(title, presses, *(amount(sums[name]) for name in ("revenue", "share", "remainder")))
