"""Charts as SVG that the server draws: no script or style of their own, so that they pass a strict
Content-Security-Policy. Colours and dashes are classes of pages.css; charts.js tells the numbers of a column.

    {{ chart }}                         in the template, and for the tooltips in its block of scripts
    {% block scripts %}{{ block.super }}<script src="{% static "pages/charts.js" %}" defer></script>{% endblock %}

To a screen reader a chart is one picture with a name. The same numbers as a table are the page's part.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Values = Sequence[float | None]
"""A number for each label; None, or one that is not finite: nothing is known there."""

MAX_POINTS: Final = 750
"""A month by the hour. More columns than that are narrower than a pixel."""
_COLUMN: Final = 10
"""How wide one is, in units of its own that the browser stretches. Upwards a unit is a pixel."""
_SPARK: Final = 28
_LABELS: Final = 9
_FEW: Final = 3
"""Labels for which a phone has room."""
_GREATEST: Final = 1e300
_LEAST: Final = 1e-300
_NOTHING: Final = SafeString('<p class="empty">There is nothing to draw.</p>')
_TOO_MANY: Final = SafeString('<p class="empty">These are too many points to draw.</p>')


def bars(
    labels: Sequence[str],
    series: Mapping[str, Values],
    *,
    title: str,
    previous: Mapping[str, Values] | None = None,
    height: int = 220,
    unfinished: int = 0,
) -> SafeString:
    """Bars, one for each label, in which up to four series (by name) stand on each other; negative ones hang below.

    `previous`: series of an earlier time, as pale dashed lines. `title`: what a screen reader says in the chart's
    place. `height` of the plot, in pixels. Labels `date time` are written on two lines. The last `unfinished` are pale:
    they are not over.
    """
    given, before = _known(series), _known(previous or {})
    stacks = _stacked(list(given.values()), len(labels))
    together: dict[str, Values] = (
        {"Total": [_sum(column) for column in zip(*given.values(), strict=True)]} if len(given) > 1 else {}
    )
    told: dict[str, Values] = {**given, **together, **before}
    axis = _Axis.over([end for stack in stacks for pair in stack for end in pair], before, told, height, from_zero=True)
    over = len(labels) - unfinished
    paths = [
        path
        for place, stack in enumerate(stacks, 1)
        for path in _paths(f"column s{place}", _bar_moves(stack[:over], axis), _bar_moves(stack, axis, over))
    ]
    return _figure(labels, "column", given, before, told, axis, paths, title, unfinished)


def lines(
    labels: Sequence[str],
    series: Mapping[str, Values],
    *,
    title: str,
    previous: Mapping[str, Values] | None = None,
    height: int = 220,
    from_zero: bool = True,
    unfinished: int = 0,
) -> SafeString:
    """A line for each of up to four series, broken where nothing is known. As `bars`, but `from_zero=False` lets the
    axis begin near the smallest number: for readings, as volts, that never come near zero.
    """
    given, before = _known(series), _known(previous or {})
    told = {**given, **before}
    axis = _Axis.over([], told, told, height, from_zero=from_zero)
    paths = [
        path
        for place, values in enumerate(given.values(), 1)
        for path in _lines(f"line s{place}", values, axis, unfinished)
    ]
    return _figure(labels, "line", given, before, told, axis, paths, title, unfinished)


def sparkline(values: Sequence[int], *, title: str) -> SafeString:
    """A line without axis or labels, as high as a line of text."""
    most = max(*values, 1)
    top = [2 + (_SPARK - 4) * (most - value) / most for value in values]
    points = " ".join(f"{_middle(place)},{_short(round(y, 1))}" for place, y in enumerate(top))
    return format_html(
        '<svg class="sparkline" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<polyline points="{}" vector-effect="non-scaling-stroke"/></svg>',
        title,
        len(values) * _COLUMN,
        _SPARK,
        points,
    )


# --- numbers ---


def _known(series: Mapping[str, Values]) -> dict[str, list[float | None]]:
    """Within bounds in which nothing overflows: what lies beyond is drawn at the bound."""
    return {name: [_bounded(value) for value in values] for name, values in series.items()}


def _bounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if abs(value) < _LEAST:
        return 0
    return max(-_GREATEST, min(_GREATEST, value)) if abs(value) > _GREATEST else value


def _sum(column: Iterable[float | None]) -> float | None:
    known = [value for value in column if value is not None]
    return sum(known) if known else None


def _stacked(series: Sequence[Values], length: int) -> list[list[tuple[float, float]]]:
    """For each series where its bars begin and end."""
    above, below = [0.0] * length, [0.0] * length
    stacks = []
    for values in series:
        stack = []
        for place, value in enumerate(values):
            ends = above if (value or 0) >= 0 else below
            start, ends[place] = ends[place], ends[place] + (value or 0)
            stack.append((start, ends[place]))
        stacks.append(stack)
    return stacks


class _Axis(NamedTuple):
    """Round ticks, the lowest first, and the plot's height in pixels."""

    ticks: list[float]
    height: int

    @classmethod
    def over(
        cls,
        ends: Iterable[float],
        drawn: Mapping[str, Values],
        told: Mapping[str, Values],
        height: int,
        *,
        from_zero: bool,
    ) -> "_Axis":
        """Over `ends` and `drawn`. Where all that is `told` is whole, so are the ticks."""
        values = [*ends, *(value for one in drawn.values() for value in one if value is not None)] or [0]
        low, high = min(values), max(values)
        if from_zero:
            low, high = min(low, 0), max(high, 0)
        least = max(abs(low), abs(high)) * 1e-9 or 1.0
        if high - low < least:
            low, high = (low, high + least) if from_zero else (low - least, high + least)
        step = _round_step((high - low) / max(2, height // 50))
        if all(value is None or value == int(value) for one in told.values() for value in one):
            step = max(step, 1)
        return cls([place * step for place in range(math.floor(low / step), math.ceil(high / step) + 1)], height)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return round(self.height * (1 - share), 1)


def _round_step(least: float) -> float:
    """The first of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not less."""
    exponent = math.floor(math.log10(least))
    power = 10.0**exponent if exponent < 0 else 10**exponent
    return next(step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if step >= least)


def number(value: float | None) -> str:
    """A number as people read it; `—` where nothing is known."""
    if value is None:
        return "—"
    if abs(value) >= 1e12 or 0 < abs(value) < 1e-3:
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def _tick(value: float, step: float) -> str:
    if abs(value) >= 1e9:
        return f"{value:.4g}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.6g} M"
    if step >= 1:
        return f"{value:,.0f}"
    return f"{value:,.{min(-math.floor(math.log10(step)), 6)}f}" if step >= 1e-6 else f"{value:.4g}"


# --- shapes ---


def _middle(place: int) -> int:
    return place * _COLUMN + _COLUMN // 2


def _short(pixels: float) -> str:
    return f"{pixels:g}"


def _bar_moves(stack: Sequence[tuple[float, float]], axis: _Axis, first: int = 0) -> Iterator[str]:
    """Each bar is a stroke from end to end: so stripes are dashes, which no stretching of the columns distorts."""
    for place, (start, end) in enumerate(stack[first:], first):
        if start != end:
            yield f"M{_middle(place)} {_short(axis.y(start))}V{_short(axis.y(end))}"


def _line_moves(values: Values, axis: _Axis, first: int = 0) -> Iterator[str]:
    is_broken = True
    for place, value in enumerate(values[first:], first):
        if value is not None:
            # A point without neighbours is drawn as a line of no length, whose round ends make a dot.
            yield f"{'M' if is_broken else 'L'}{_middle(place)} {_short(axis.y(value))}{'h0' if is_broken else ''}"
        is_broken = value is None


def _lines(classes: str, values: Values, axis: _Axis, unfinished: int) -> list[SafeString]:
    over = len(values) - unfinished
    last = max(0, over - 1) if unfinished else over  # the last that is over: from there on
    return _paths(classes, _line_moves(values[:over], axis), _line_moves(values, axis, last), rounds=True)


def _paths(classes: str, over: Iterable[str], late: Iterable[str], *, rounds: bool = False) -> list[SafeString]:
    """Of a series: what is over, and paler what is not."""
    pale = "".join(late)
    more = [_path(f"{classes} pale", pale, rounds=rounds)] if pale else []
    return [_path(classes, over, rounds=rounds), *more]


def _path(classes: str, moves: Iterable[str], *, rounds: bool = False) -> SafeString:
    if rounds:
        return format_html('<path class="{}" d="{}" vector-effect="non-scaling-stroke"/>', classes, "".join(moves))
    return format_html('<path class="{}" d="{}" stroke-width="8"/>', classes, "".join(moves))


def _figure(
    labels: Sequence[str],
    kind: str,
    given: Mapping[str, Values],
    before: Mapping[str, Values],
    told: Mapping[str, Values],
    axis: _Axis,
    paths: list[SafeString],
    title: str,
    unfinished: int,
) -> SafeString:
    if not labels or not given:
        return _NOTHING
    if len(labels) > MAX_POINTS:
        return _TOO_MANY
    # In groups, so that the <svg> element itself stays when its content changes: the focus may be on it.
    for values in before.values():
        paths = paths + _lines("line was", values, axis, unfinished)
    return format_html(
        '<figure class="chart"><svg role="img" aria-label="{}" tabindex="0" height="{}"><g>{}</g><g>{}</g>'
        '<svg width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"><g>{}</g>'
        '<g class="hits">{}</g></svg></svg>{}</figure>',
        title,
        axis.height + (38 if any(" " in label for label in labels) else 22),
        _grid(axis),
        _dates(labels, axis.height),
        axis.height,
        len(labels) * _COLUMN,
        axis.height,
        format_html_join("", "{}", ((path,) for path in paths)),
        _hits(labels, told, axis.height, unfinished),
        _legend(kind, given, before),
    )


def _grid(axis: _Axis) -> SafeString:
    step = axis.ticks[1] - axis.ticks[0]
    rows = ((axis.y(tick), "zero" if tick == 0 else "rule", _tick(tick, step)) for tick in axis.ticks)
    return format_html_join(
        "",
        '<line class="{1}" x2="100%" y1="{0}" y2="{0}"/><text class="tick" x="-8" y="{0}" dy="4">{2}</text>',
        ((_short(y), kind, words) for y, kind, words in rows),
    )


def _dates(labels: Sequence[str], top: int) -> SafeString:
    """Some of the labels; on a small screen every third of these. A date is written where it is another."""
    every = max(1, math.ceil(len(labels) / _LABELS))
    shown, last = [], ""
    for place in range(0, len(labels), every):
        is_minor = place // every % (_LABELS // _FEW) != 0
        date, _, time = labels[place].rpartition(" ")
        x = f"{100 * _middle(place) / (len(labels) * _COLUMN):.4g}%"
        shown.append((x, top + 18, "label minor" if is_minor else "label", time))
        if date and date != last and not is_minor:
            shown.append((x, top + 34, "label", date))
            last = date
    return format_html_join("", '<text x="{}" y="{}" class="{}">{}</text>', shown)


def _hits(labels: Sequence[str], told: Mapping[str, Values], height: int, unfinished: int) -> SafeString:
    """A column's numbers, which browsers show without scripts too."""
    over = len(labels) - unfinished
    heads = [*labels[:over], *(f"{label} so far" for label in labels[over:])]
    return format_html_join(
        "",
        '<rect x="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (
                place * _COLUMN,
                _COLUMN,
                height,
                "\n".join([head, *(f"{name}: {number(values[place])}" for name, values in told.items())]),
            )
            for place, head in enumerate(heads)
        ),
    )


def _legend(kind: str, given: Mapping[str, Values], before: Mapping[str, Values]) -> SafeString:
    """None where there is only one series, which the chart's heading names."""
    sample = {"column": "M12 12V0", "line": "M0 6H24"}
    swatches = [(f"{kind} s{place}", sample[kind], name) for place, name in enumerate(given, 1)]
    swatches += [("line was", sample["line"], name) for name in before]
    if len(swatches) < 2:
        return SafeString("")
    return format_html(
        "<figcaption><ul>{}</ul></figcaption>",
        format_html_join(
            "",
            '<li><svg width="24" height="12" aria-hidden="true">'
            '<path class="{}" d="{}" stroke-width="16"/></svg>{}</li>',
            swatches,
        ),
    )
