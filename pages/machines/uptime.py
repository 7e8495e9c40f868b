"""A strip of days: how much of each the machines were heard."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.html import format_html, format_html_join

from alerts.incidents.uptime import DAYS, Day, uptime

_GOOD: Final = 0.999
_FAIR: Final = 0.95


def uptime_of(machines: Iterable[int], now: datetime) -> dict[str, Any]:
    """For the template `machines/uptime.html`: of these machines together."""
    days = uptime(machines, now)
    known = [day.share for day in days if day.share is not None]
    if not known:
        return {"strip": ""}
    words = f"{_percent(sum(known) / len(known))} of the last {len(known)} day{'' if len(known) == 1 else 's'}"
    return {"strip": _strip(days, words), "words": words}


def _strip(days: Sequence[Day], words: str) -> str:
    bars = format_html_join(
        "",
        '<rect x="{}" y="0" width="8" height="28" class="{}"><title>{}: {}</title></rect>',
        ((10 * place, _class(day.share), day.day, _percent(day.share)) for place, day in enumerate(days)),
    )
    return format_html(
        '<svg class="uptime" role="img" aria-label="Heard {}" viewBox="0 0 {} 28" preserveAspectRatio="none">{}</svg>',
        words,
        10 * DAYS,
        bars,
    )


def _class(share: float | None) -> str:
    if share is None:
        return "unknown"
    return "good" if share >= _GOOD else "fair" if share >= _FAIR else "bad"


def _percent(share: float | None) -> str:
    """Never 100 where it was less."""
    if share is None:
        return "not known"
    return "100 %" if share == 1 else f"{min(share * 100, 99.9):.1f} %"
