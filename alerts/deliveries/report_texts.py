"""Reports of what was earned, as text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from alerts.conditions.found import clock
from ozone.wire.times import parse_iso

SHOWN: Final = 25
"""Outlets."""


def report_text(told: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Title and lines of what `ledger.sales` told of a day or a week."""
    is_day = told["start"] == told["end"]
    days = told["start"] if is_day else f"{told['start']} to {told['end']}"
    total, outlets = told["total"], told["outlets"]
    title = f"{'Yesterday' if is_day else 'Last week'}: {_sold(total, told['currency'])}"
    lines = [f"{days}{_beside(total, told['currency'])}", *_notes(total), ""]
    lines += [f"{one['name'] or 'At no outlet'}: {_sold(one, told['currency'])}" for one in outlets[:SHOWN]]
    if len(outlets) > SHOWN:
        lines.append(f"… and {len(outlets) - SHOWN:,} outlets more.")
    lines += _selling_nothing(told.get("selling_nothing", ()))
    number = told["open_incidents"]
    if number:
        lines += ["", "One incident is open." if number == 1 else f"{number:,} incidents are open."]
    return title, _trimmed(lines)


def _sold(one: Mapping[str, Any], currency: str) -> str:
    presses = f"{one['presses']:,} {'treatment' if one['presses'] == 1 else 'treatments'}"
    return f"{one['revenue']} {currency}, {presses}" if one["revenue"].strip("0.") else presses


def _beside(total: Mapping[str, Any], currency: str) -> str:
    if not total["prev_presses"]:
        return ""
    before = {"presses": total["prev_presses"], "revenue": total["prev_revenue"]}
    return f"; on the same weekdays before: {_sold(before, currency)}"


def _notes(total: Mapping[str, Any]) -> list[str]:
    notes = []
    if total["unexplained"]:
        notes.append(f"{total['unexplained']:,} presses are unexplained.")
    if total["unpriced"]:
        notes.append(f"{total['unpriced']:,} presses have no price.")
    return notes


def _selling_nothing(machines: Sequence[Mapping[str, Any]]) -> list[str]:
    if not machines:
        return []
    lines = [f"{one['subject']}: no treatment since {_since(one['since'])}." for one in machines[:SHOWN]]
    more = [f"… and {len(machines) - SHOWN:,} more."] if len(machines) > SHOWN else []
    return ["", "They poll, and sell nothing:", *lines, *more]


def _since(text: str) -> str:
    at = parse_iso(text)
    return clock(at) if at else "long ago"


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Without empty lines at the end."""
    kept = list(lines)
    while kept and not kept[-1]:
        kept.pop()
    return kept
