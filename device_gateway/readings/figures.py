"""What the readings of a span of time come to: how many, and of each numeric field count, min, mean, max and last."""

import math
from array import array
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

HOUR: Final = timedelta(hours=1)
MOST_FIELDS: Final = 256
"""Of an hour that is kept: a device that names its fields by chance would else leave more than its readings were."""

Kept = list[Any]
"""Of a field of an hour's readings that are deleted: count, min, mean, max, last, and how many microseconds after the
hour began that one occurred."""


class Summary:
    """Running figures of one field, of readings and of what is left of deleted ones, in any order."""

    __slots__ = ("_high", "_last", "_last_at", "_low", "_means", "_values")

    def __init__(self) -> None:
        self._values = array("d")
        self._means: list[tuple[int, float]] = []
        """Of what is left of deleted readings: how many, and their mean."""
        self._low: float = math.inf
        self._high: float = -math.inf
        self._last: float = 0
        self._last_at: datetime | None = None

    def add(self, value: float, at: datetime) -> None:
        """Of equal times the one that is added later counts as later."""
        self._values.append(value)
        self._reach(value, value)
        if self._last_at is None or at >= self._last_at:
            self._last, self._last_at = value, at

    def add_kept(self, kept: Kept, start: datetime) -> None:
        """Of the hour from `start`."""
        count, low, mean, high, last, after = kept
        self._means.append((count, mean))
        self._reach(low, high)
        at = start + timedelta(microseconds=after)
        if self._last_at is None or at > self._last_at:
            self._last, self._last_at = last, at

    def _reach(self, low: float, high: float) -> None:
        if low < self._low:
            self._low = low
        if high > self._high:
            self._high = high

    def as_json(self) -> dict[str, Any]:
        count = len(self._values) + sum(number for number, _ in self._means)
        # Divided first: the sum of the largest doubles would be infinite.
        own = (value / count for value in self._values)
        mean = math.fsum(chain(own, (mean * (number / count) for number, mean in self._means)))
        return {"count": count, "min": self._low, "mean": mean, "max": self._high, "last": self._last}

    def as_kept(self, start: datetime) -> Kept:
        assert self._last_at is not None
        return [*self.as_json().values(), (self._last_at - start) // timedelta.resolution]


class Figures:
    def __init__(self) -> None:
        self.count = 0
        self.fields: dict[str, Summary] = {}

    def add(self, payload: Any, at: datetime, fields: Collection[str] | None = None) -> None:
        """A reading; of its fields those named, unless told all, of which the first MOST_FIELDS are kept."""
        self.count += 1
        if isinstance(payload, dict):
            for field in payload if fields is None else fields:
                value = payload.get(field)
                if not isinstance(value, (int, float)) or isinstance(value, bool):
                    continue
                if field in self.fields or len(self.fields) < MOST_FIELDS:
                    self._of(field).add(value, at)

    def add_kept(self, count: int, kept: Mapping[str, Kept], start: datetime, fields: Collection[str]) -> None:
        """What is left of the hour from `start`; of its fields those named."""
        self.count += count
        for field in fields:
            if field in kept:
                self._of(field).add_kept(kept[field], start)

    def as_kept(self, start: datetime) -> dict[str, Kept]:
        """Of the hour from `start`, by field."""
        return {field: summary.as_kept(start) for field, summary in self.fields.items()}

    def _of(self, field: str) -> Summary:
        summary = self.fields.get(field)
        if summary is None:
            summary = self.fields[field] = Summary()
        return summary


def both(first: Mapping[str, Kept], second: Mapping[str, Kept]) -> dict[str, Kept]:
    """What is left of an hour in two parts, by field; no more than MOST_FIELDS."""
    fields = {**first}
    for field, kept in second.items():
        if known := fields.get(field):
            fields[field] = _sum(known, kept)
        elif len(fields) < MOST_FIELDS:
            fields[field] = kept
    return fields


def _sum(one: Kept, other: Kept) -> Kept:
    count = one[0] + other[0]
    mean = one[2] * (one[0] / count) + other[2] * (other[0] / count)
    last = other if other[5] >= one[5] else one
    return [count, min(one[1], other[1]), mean, max(one[3], other[3]), last[4], last[5]]
