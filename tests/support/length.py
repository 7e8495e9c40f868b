"""The short form of a long test, as every run has it, and the long form of `make nightly`."""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
IS_LONG = os.environ.get("LONG_TESTS") == "1"


def length(short: T, nightly: T) -> T:
    """The first, or with LONG_TESTS=1 the second."""
    return nightly if IS_LONG else short


def first_on_postgresql(count: int, cases: Sequence[Any]) -> list[Any]:
    """All of them on SQLite; by day the first `count` on PostgreSQL, which is asked the same by each."""
    later = (case if isinstance(case, tuple) else (case,) for case in cases[count:])
    return [*cases[:count], *(pytest.param(*case, marks=pytest.mark.alike) for case in later)]
