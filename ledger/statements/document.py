"""What a statement says, as JSON and as CSV. A closed one's bytes are kept, so this is asked of it once."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ledger.prices.money import percent_text, text, text_or_none
from ledger.statements.figures import Draft, Line, Told
from ozone.wire import jsonio
from ozone.wire.conf import options
from ozone.wire.times import iso
from ozone.wire.words import guarded
from telemetry.models import Outlet

_HEAD: Final = (
    "Statement", "Outlet", "Month", "Kind", "Of month", "Treatment", "Days", "Presses", "Price", "Revenue",
    "Share in percent", "Share", "Currency",
)  # fmt: skip


@dataclass(frozen=True)
class Closing:
    """How a statement came to be closed."""

    number: int
    at: datetime
    by: str


def written(draft: Draft, outlet: Outlet, closing: Closing | None, *, is_over: bool) -> dict[str, Any]:
    """The JSON object; without a closing that of a draft."""
    currency = draft.currency
    return {
        "id": f"{draft.outlet}-{draft.month}",
        "status": "closed" if closing else "draft",
        "number": closing.number if closing else None,
        "closed_at": iso(closing.at) if closing else None,
        "closed_by": closing.by if closing else None,
        "month": str(draft.month),
        "is_over": is_over,
        "time_zone": options().STATS_TIME_ZONE,
        "currency": currency,
        "outlet": {
            "id": outlet.pk,
            "name": outlet.name,
            "region": outlet.region,
            "address": outlet.address,
            "contact_person": outlet.contact_person,
        },
        "lines": [
            {
                "treatment": line.key.treatment,
                "days": [{"from": str(span.first), "until": str(span.last)} for span in line.spans],
                "settled": line.settled,
                **_money(line, currency),
            }
            for line in draft.lines
        ],
        "corrections": [
            {"month": str(line.key.month), "treatment": line.key.treatment, **_money(line, currency)}
            for line in draft.corrections
        ],
        "unexplained": [{"kind": kind, "presses": number} for kind, number in draft.unexplained.items()],
        "unpriced": draft.unpriced,
        "totals": {
            "month": _sums(draft.own, currency),
            "corrections": _sums(draft.corrected, currency),
            "statement": _sums(draft.total, currency),
        },
    }


def _money(line: Line, currency: str) -> dict[str, Any]:
    return {
        "presses": line.presses,
        "price": text_or_none(line.key.price, currency),
        "revenue": text(line.revenue, currency),
        "share_percent": percent_text(line.key.share_rate),
        "share": text(line.share, currency),
    }


def _sums(told: Told, currency: str) -> dict[str, Any]:
    return {
        "presses": told.presses,
        "revenue": text(told.revenue, currency),
        "share": text(told.share, currency),
        "remainder": text(told.revenue - told.share, currency),
    }


def as_json(said: dict[str, Any]) -> bytes:
    return jsonio.encode(said)


def as_csv(said: dict[str, Any]) -> bytes:
    """A line for each line, and the three totals. In UTF-8, with CRLF."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(_HEAD)
    head = ("draft" if said["number"] is None else said["number"], guarded(said["outlet"]["name"]), said["month"])
    writer.writerows((*head, *row, said["currency"]) for row in _rows(said))
    return sheet.getvalue().encode()


def _rows(said: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for line in said["lines"]:
        days = ", ".join(f"{span['from']} to {span['until']}" for span in line["days"])
        yield ("month", said["month"], line["treatment"], days, *_cells(line))
    for line in said["corrections"]:
        yield ("correction", line["month"], line["treatment"], "", *_cells(line))
    for one in said["unexplained"]:
        yield (f"unexplained: {one['kind']}", said["month"], "", "", one["presses"], "", "", "", "")
    for name, sums in said["totals"].items():
        yield (f"total of {name}", "", "", "", sums["presses"], "", sums["revenue"], "", sums["share"])


def _cells(line: dict[str, Any]) -> tuple[Any, ...]:
    return (line["presses"], line["price"] or "", line["revenue"], line["share_percent"], line["share"])
