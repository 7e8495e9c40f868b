"""Histories: what the counter says, what presses explain, and what is left, whatever became of the presses."""

import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.epochs.found import FoundEpoch, FoundLine, Holding, Press, Reset, in_order
from ledger.epochs.history import History
from tests.support.length import length

# Arithmetic in memory, which asks no database.
pytestmark = pytest.mark.sqlite_only

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(*numbers: int, since: float = 0, step: float = 1) -> list[Press]:
    """One a minute."""
    return [Press(at(since + step * place), place, number, machine=1) for place, number in enumerate(numbers)]


def reset(minutes: float, cause: str = "reset", base: int | None = 0) -> Reset:
    return Reset(at(minutes), cause, base)


def account(presses: list[Press], *resets: Reset) -> list[FoundEpoch]:
    history = History(sorted(resets), [Holding(at(-1e6), 1)])
    history.tell(in_order(presses, resets))
    return history.end()


def shown(epochs: list[FoundEpoch]) -> list[tuple[str, int, int, list[str]]]:
    return [(epoch.cause, epoch.base, epoch.last, [words(line) for line in epoch.lines]) for epoch in epochs]


def words(line: FoundLine) -> str:
    numbers = str(line.first) if line.first == line.last else f"{line.first}–{line.last}"
    return f"{line.kind} {numbers}" + (f" ×{line.count}" if line.count != line.last - line.first + 1 else "")


@pytest.mark.parametrize(
    ("presses", "resets", "expected"),
    [
        pytest.param(told(1, 2, 3), [], [("first", 0, 3, [])], id="all is well"),
        pytest.param(told(2, 9, 9, 5), [], [("first", 1, 9, ["missing 3–8", "twice 9", "back 5"])], id="the issue's"),
        pytest.param(told(7, 8, 8, 8), [], [("first", 6, 8, ["twice 8 ×2"])], id="three times"),
        pytest.param(told(8, 9, 1, 2), [], [("first", 7, 9, []), ("restart", 0, 2, [])], id="counter 1"),
        pytest.param(
            told(8, 9, 3, 4), [], [("first", 7, 9, []), ("restart", 0, 4, ["missing 1–2"])], id="two lower counters"
        ),
        pytest.param(told(8, 9, 3, 10), [], [("first", 7, 10, ["back 3"])], id="one lower counter"),
        pytest.param(
            told(8, 9, 3, 3), [], [("first", 7, 9, []), ("restart", 0, 3, ["missing 1–2", "twice 3"])], id="3, 3"
        ),
        pytest.param(told(0, 1, 2, 0, 1), [], [("first", -1, 2, []), ("restart", -1, 1, [])], id="from 0 on"),
        pytest.param(
            told(1, 1, 1), [], [("first", 0, 1, []), ("restart", 0, 1, []), ("restart", 0, 1, [])], id="1, 1, 1"
        ),
        pytest.param(
            told(5, 6, 3), [reset(1.5)], [("first", 4, 6, []), ("reset", 0, 3, ["missing 1–2"])], id="reset, two lost"
        ),
        pytest.param(
            told(5, 6, 9), [reset(1.5)], [("first", 4, 6, []), ("reset", 0, 9, ["missing 1–8"])], id="past the last one"
        ),
        pytest.param(told(4), [reset(-1)], [("reset", 0, 4, ["missing 1–3"])], id="reset before the first press"),
        pytest.param(told(4, 5), [reset(3)], [("first", 3, 5, []), ("reset", 0, 0, [])], id="no press after the reset"),
        pytest.param(
            told(5, 6, 7), [reset(1.5, "cleared", None)], [("first", 4, 6, []), ("cleared", 6, 7, [])], id="not wiped"
        ),
        pytest.param(
            told(5, 6, 1), [reset(1.5, "cleared", None)], [("first", 4, 6, []), ("cleared", 0, 1, [])], id="wiped"
        ),
        pytest.param(
            told(5, 6, 1, 2, 3), [reset(3.5)], [("first", 4, 6, []), ("reset", 0, 3, [])], id="its clock is slow"
        ),
        pytest.param(
            told(5, 6, 2, 3), [reset(2.5)], [("first", 4, 6, []), ("reset", 0, 3, ["missing 1"])], id="slow, one lost"
        ),
        pytest.param(
            told(5, 6, 7, 8, 1, 2), [reset(1.5)], [("first", 4, 8, []), ("reset", 0, 2, [])], id="its clock is fast"
        ),
        pytest.param(
            told(5, 6, 8, 1, 2), [reset(1.5), reset(2.5)],
            [("first", 4, 6, []), ("reset", 0, 8, ["missing 1–7"]), ("reset", 0, 2, [])],
            id="two resets are no doubt",
        ),
        pytest.param(
            [*told(5, 6, 1), *told(1, since=25)], [reset(20)],
            [("first", 4, 6, []), ("restart", 0, 1, []), ("reset", 0, 1, [])],
            id="a reset of much later explains no restart",
        ),
        pytest.param(
            [*told(5, 6, 8), *told(1, 2, since=9)], [reset(1.5), reset(9.5)],
            [("first", 4, 6, []), ("reset", 0, 8, ["missing 1–7"]), ("reset", 0, 2, [])],
            id="it falls by the nearer of two",
        ),
        pytest.param(told(1, 2), [reset(0.5)], [("first", 0, 2, [])], id="told while somebody pressed"),
        pytest.param(told(1, 4), [reset(0.5)], [("first", 0, 4, ["missing 2–3"])], id="and what follows is lost"),
        pytest.param(told(2, 3), [reset(0.5, "zero")], [("first", 1, 3, [])], id="the first of all is lost"),
        pytest.param(
            told(1, 4), [reset(1.5)], [("first", 0, 4, ["missing 2–3"]), ("reset", 0, 0, [])], id="reset later"
        ),
    ],
)  # fmt: skip
def test_it_works(presses: list[Press], resets: list[Reset], expected: list[tuple[str, int, int, list[str]]]) -> None:
    assert shown(account(presses, *resets)) == expected


def test_presses_of_one_second_go_by_number() -> None:
    late = [Press(NOON, order, number, machine=1) for order, number in enumerate((7, 9, 10, 8))]
    assert shown(account(late)) == [("first", 6, 10, [])]


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ([], [("first", 0, 2, []), ("reset", 0, 1, [])]),
        ([2], [("first", 0, 2, []), ("reset", 0, 2, [])]),
        ([3], [("first", 0, 1, []), ("reset", 0, 3, [])]),
    ],
)
def test_a_reset_between_presses_of_one_second(
    then: list[int], expected: list[tuple[str, int, int, list[str]]]
) -> None:
    """1, and in one second 2, the reset and 1: in the order as told, unless a 3 shows that 1 was late."""
    moment = [Press(at(1), order, number, machine=1) for order, number in ((1, 2), (2, 1))]
    later = [Press(at(2), 3, number, machine=1) for number in then]
    assert shown(account([*told(1), *moment, *later], reset(1.01))) == expected


def test_what_was_told_as_the_device_was_given_away() -> None:
    """A press that came while 0 was on its way is not missing after it, though another machine has the device since."""
    history = History([reset(0.01, "zero")], [Holding(at(-9), 1), Holding(at(0.5), 2)])
    history.tell([*told(1), Press(at(1), 2, 2, machine=2)])
    assert shown(history.end()) == [("first", 0, 1, []), ("swap", 1, 2, [])]


def test_no_clock_and_a_counter_that_was_told_as_0() -> None:
    waited = Press(at(0.1), 0, 1, is_dated=False, machine=1)
    zero, cleared = reset(0, "zero"), reset(5, "cleared", None)
    assert shown(account([waited, *told(2, 3, since=9)], zero, cleared)) == [("first", 0, 1, []), ("cleared", 1, 3, [])]


def test_no_clock_and_a_memory_that_was_cleared_at_0() -> None:
    """CLEAR_MEMORY, whose result tells 0, and then presses without a clock."""
    waited = [Press(at(0.1 * number), number, number, is_dated=False, machine=1) for number in (1, 2, 3)]
    presses = [*waited, *told(4, 5, since=0.5)]
    assert shown(account(presses, reset(0, "cleared", None), reset(0.01, "zero"))) == [("first", 0, 5, [])]


def zero_of_its_own(minutes: float) -> Reset:
    """Told by the device with a press of another treatment."""
    return Reset(at(minutes), "zero", 0, is_exact=True)


def test_what_goes_on_in_the_second_of_a_told_0_was_before_it() -> None:
    """9 is lost; then 10, a reset, and a press of another treatment, which tells the 0, in one second."""
    presses = [*told(7, 8), Press(at(2), 2, 10, machine=1), *told(1, 2, since=3)]
    assert shown(account(presses, zero_of_its_own(2), reset(2.01))) == [
        ("first", 6, 10, ["missing 9"]),
        ("reset", 0, 2, []),
    ]


@pytest.mark.parametrize("resets", [(reset(2.01),), (zero_of_its_own(2), reset(2.01))])
def test_what_goes_on_in_the_second_of_a_reset_and_comes_late(resets: tuple[Reset, ...]) -> None:
    """8 and 9 are lost; 10 comes after the 1 of its second."""
    presses = [*told(6, 7), Press(at(2), 5, 10, machine=1), Press(at(2), 2, 1, machine=1), *told(2, 3, since=3)]
    assert [(base, last, lines) for _, base, last, lines in shown(account(presses, *resets))] == [
        (5, 10, ["missing 8–9"]),
        (0, 3, []),
    ]


def test_a_press_that_waited_without_a_clock_is_of_the_epoch_before() -> None:
    waited = Press(at(2), 2, 7, is_dated=False, machine=1)
    presses = [*told(5, 6), waited, *told(1, 2, since=30)]
    assert shown(account(presses, reset(1.5))) == [("first", 4, 7, []), ("reset", 0, 2, [])]


def test_what_waited_without_a_clock_goes_before_its_moment() -> None:
    """Its number says nothing of its place among those that have a time."""
    waited = [Press(at(30), order, number, is_dated=False, machine=1) for order, number in enumerate((2, 3))]
    presses = [*waited, Press(at(30), 2, 1, machine=1), Press(at(39), 3, 2, machine=1)]
    assert shown(account(presses, reset(10))) == [("first", 1, 3, []), ("reset", 0, 2, [])]


def test_a_press_without_a_clock_is_no_first_one_after_a_reset() -> None:
    """It may have been pressed before it: the next number after it is that of the new epoch."""
    waited = Press(at(59), 0, 1, is_dated=False, machine=1)
    assert shown(account([waited, *told(2, 3, since=59)], reset(52))) == [
        ("first", 0, 1, []),
        ("reset", 0, 3, ["missing 1"]),
    ]


def test_a_line_is_of_one_outlet() -> None:
    """What came late of both is billed to both."""
    late = [
        Press(at(place), place, 5 + place, machine=1, outlet=outlet, is_late=True)
        for place, outlet in enumerate((7, 7, 8))
    ]
    (epoch,) = account(late)
    assert [(words(line), line.outlet) for line in epoch.lines] == [("late 5–6", 7), ("late 7", 8)]


def test_an_epoch_is_one_machines() -> None:
    presses = [
        Press(at(place), place, number, machine=machine)
        for place, (number, machine) in enumerate([(5, 1), (6, 1), (7, None), (9, 2), (10, 2)])
    ]
    history = History([], [Holding(at(-9), 1), Holding(at(1.5), None), Holding(at(2.5), 2), Holding(at(9), None)])
    history.tell(presses)
    epochs = history.end()
    assert shown(epochs) == [
        ("first", 4, 6, []),
        ("swap", 6, 7, ["unplaced 7"]),
        ("swap", 7, 10, ["missing 8"]),
    ]
    assert [(epoch.machine, epoch.started_at, epoch.ended_at) for epoch in epochs] == [
        (1, at(0), at(1.5)),
        (None, at(1.5), at(2.5)),
        (2, at(2.5), at(9)),
    ]


class Life(NamedTuple):
    """What a device lived through between two resets, by time: which numbers were told, which in two events."""

    since: int
    told: list[tuple[int, int]]
    """Minute, number."""


class Truth(NamedTuple):
    lives: list[list[tuple[int, int]]]
    """The presses between two resets that reached the server: minute, number."""
    resets: list[int]
    twice: list[tuple[int, int]]


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """A device's presses and resets, minutes apart; some presses are lost, some told in two events."""
    minute, lives, resets, twice = 0, [], [], []
    for life in range(draw(st.integers(1, 4))):
        if life:
            minute += draw(st.integers(2, 30))
            resets.append(minute)
        told = []
        for number in range(1, draw(st.integers(1, 8)) + 1):
            minute += draw(st.integers(2, 30))
            if draw(st.integers(0, 2)):
                told.append((minute, number))
                if number > 1 and not draw(st.integers(0, 5)):
                    twice.append((minute, number))
        lives.append(told)
    return Truth(lives, resets, twice)


def missing_of(told: list[tuple[int, int]], base: int) -> set[int]:
    numbers = {number for _, number in told}
    return set(range(base + 1, max(numbers, default=base) + 1)) - numbers


@settings(max_examples=length(150, 5000))
@given(truths(), st.randoms(use_true_random=False))
def test_every_missing_number_is_named_and_no_line_is_false(truth: Truth, chance: random.Random) -> None:
    presses = [press for life in truth.lives for press in life] + truth.twice
    chance.shuffle(presses)  # the order of arrival
    found = account(
        [Press(at(minute), order, number, machine=1) for order, (minute, number) in enumerate(presses)],
        *map(reset, truth.resets),
    )
    lines = [line for epoch in found for line in epoch.lines]
    named = [number for line in lines if line.kind == "missing" for number in range(line.first, line.last + 1)]
    expected: list[int] = []
    is_first = True
    for place, life in enumerate(truth.lives):
        base = min((number for _, number in life), default=1) - 1 if is_first and place == 0 else 0
        expected += sorted(missing_of(life, base))
    assert named == expected
    assert sorted(line.first for line in lines if line.kind == "twice" for _ in range(line.count)) == sorted(
        number for _, number in truth.twice
    )
    assert {line.kind for line in lines} <= {"missing", "twice"}


@settings(max_examples=length(150, 5000))
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["reset", "cleared", "zero"])), max_size=4),
)
def test_explained_and_unexplained_are_the_difference(
    presses: list[tuple[int, int]], resets: list[tuple[int, str]]
) -> None:
    """Whatever came: no press is left out, and each number of an epoch is told or missing, never both."""
    found = account(
        [Press(at(minute), order, number, machine=1) for order, (minute, number) in enumerate(presses)],
        *(reset(minute, cause, None if cause == "cleared" else 0) for minute, cause in resets),
    )
    stored = 0
    for epoch in found:
        missing = [
            number for line in epoch.lines if line.kind == "missing" for number in range(line.first, line.last + 1)
        ]
        assert len(missing) == len(set(missing))
        assert set(missing) <= set(range(epoch.base + 1, epoch.last + 1))
        more = sum(line.count for line in epoch.lines if line.kind in ("twice", "back"))
        stored += epoch.last - epoch.base - len(missing) + more
    assert stored == len(presses)
    starts = [epoch.started_at for epoch in found]
    assert starts == sorted(starts)
    assert [epoch.ended_at for epoch in found[:-1]] == starts[1:]


@st.composite
def hurried(draw: st.DrawFn) -> tuple[list[Press], list[Reset]]:
    """A device that loses nothing, pressed and reset several times a second: it tells whole seconds, and its results
    are on their way for up to three, one at a time."""
    now, told_at, number, tenths = 0, 0, 0, st.integers(1, 15)
    presses: list[Press] = []
    resets: list[Reset] = []
    for _ in range(draw(st.integers(1, 14))):
        now += draw(tenths)
        if now > told_at and number and not draw(st.integers(0, 3)):
            number, told_at = 0, now + draw(st.integers(0, 30))
            resets.append(Reset(NOON + timedelta(seconds=told_at / 10), "reset", 0))
        else:
            number += 1
            presses.append(Press(NOON + timedelta(seconds=now // 10), len(presses), number, machine=1))
    return presses, resets


@settings(max_examples=length(150, 5000))
@given(hurried())
def test_who_loses_nothing_has_no_line(life: tuple[list[Press], list[Reset]]) -> None:
    presses, resets = life
    assert [words(line) for epoch in account(presses, *resets) for line in epoch.lines] == []
