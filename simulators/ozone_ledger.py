"""Is the ledger right about a machine's presses, before and after the withheld ones come?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, fields
from itertools import groupby
from operator import attrgetter
from typing import Any

from simulators.ozone_records import Fate, Press

_Number = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers of one counter that the ledger is wrong about, and all that the machine knows of that counter."""

    machine: str
    kind: str  # of the line; "withheld": presses without one
    treatment: str
    first: int
    last: int
    pressed: str

    def __str__(self) -> str:
        numbers = f"{self.first}" if self.first == self.last else f"{self.first}–{self.last}"
        return f"{self.machine}: {self.kind} {self.treatment} {numbers}, pressed {self.pressed}"


@dataclass(slots=True)
class Withheld:
    """What the ledger made of presses that were withheld, and sent late."""

    presses: int = 0
    shown: int = 0  # presses before and after them in one run of the counter were told: each must be a missing line
    unnamed: list[Told] = field(default_factory=list)  # of these, without a line
    unclosed: list[Told] = field(default_factory=list)  # lines of presses that have come
    untrue: list[Told] = field(default_factory=list)  # other lines that are not true

    def __add__(self, other: Withheld) -> Withheld:
        return Withheld(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def compare_ledger(
    machine: str,
    presses: Sequence[Press],
    rows: Iterable[dict[str, Any]],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    unheard: Set[int] = frozenset(),
) -> Withheld:
    """A machine's presses beside the lines of its ledger, before and after the withheld ones came.

    Three things nobody can know (docs/ledger.md). A reset whose result did not come is known by the numbers after it,
    so one of them may seem to be told twice, or a step back; `unheard`: the lives that began so. Of a press without a
    clock nobody knows on which side of a reset it was, so it may seem to be missing on the other. And one that its
    machine has cleared while a copy of it was on its way comes out of turn: without a clock a step back, and missing.
    """
    stored = {str(row.get("event_id")) for row in rows}
    numbers: dict[tuple[str, int], list[int]] = {}
    unstored, withheld = Counter[_Number](), Counter[_Number]()
    again: set[_Number] = set()
    was_reset = any(press.life for press in presses)
    for press in presses:
        if press.was_withheld:
            withheld[press.treatment, press.counter] += 1
        elif press.event_id in stored:
            numbers.setdefault((press.treatment, press.life), []).append(press.counter)
            is_out_of_turn = press.blind and press.fate is Fate.CLEARED
            if press.blind and (was_reset or is_out_of_turn):
                unstored[press.treatment, press.counter] += 1
            if press.life in unheard or is_out_of_turn:
                again.add((press.treatment, press.counter))
        else:
            unstored[press.treatment, press.counter] += 1
    shown = [
        press
        for press in presses
        if press.was_withheld
        and not unheard
        and (told := numbers.get((press.treatment, press.life)))
        and min(told) < press.counter < max(told)
    ]

    lines = [line for line in before if line["kind"] == "missing"]
    late = [line for line in after if line["kind"] == "missing"]
    others = [
        line
        for line in (*before, *after)
        if line["kind"] in ("twice", "back") and (line["treatment"], line["first"]) not in again
    ]
    named = _numbers(lines)
    unnamed: list[dict[str, Any]] = []
    for press in shown:
        if named[press.treatment, press.counter]:
            named[press.treatment, press.counter] -= 1
        else:
            unnamed.append(
                {"kind": "withheld", "treatment": press.treatment, "first": press.counter, "last": press.counter}
            )
    untrue = [*_beyond(lines, withheld + unstored), *others]
    named_lines = (
        [Told(machine, line["kind"], *_place(line), _story(presses, stored, line["treatment"])) for line in some]
        for some in (unnamed, _beyond(late, unstored), untrue)
    )
    return Withheld(withheld.total(), len(shown), *named_lines)


def _place(line: dict[str, Any]) -> tuple[str, int, int]:
    return line["treatment"], line["first"], line["last"]


def _beyond(lines: Iterable[dict[str, Any]], true: Counter[_Number]) -> list[dict[str, Any]]:
    """Missing lines with a number that was not missing, or not so often."""
    left, found = Counter(true), []
    for line in lines:
        numbers = _numbers([line])
        if numbers - left:
            found.append(line)
        left -= numbers
    return found


def _numbers(lines: Iterable[dict[str, Any]]) -> Counter[_Number]:
    return Counter((line["treatment"], number) for line in lines for number in range(line["first"], line["last"] + 1))


def _story(presses: Iterable[Press], stored: set[str], treatment: str) -> str:
    """All numbers of a treatment in the order in which they were pressed; a bar is a reset."""
    own = [press for press in presses if press.treatment == treatment]
    lives = groupby(own, key=attrgetter("life"))
    return " | ".join(" ".join(_press(press, stored) for press in some) for _, some in lives)


def _press(press: Press, stored: set[str]) -> str:
    said = [
        *(["withheld"] if press.was_withheld else []),
        *(["blind"] if press.blind else []),
        *([press.ruling] if press.ruling else []),
        *(["cleared"] if press.fate is Fate.CLEARED else []),
        *(["not stored"] if press.event_id not in stored else []),
    ]
    return f"{press.counter} ({', '.join(said)})" if said else f"{press.counter}"
