"""The short form of a long test, as every run has it, and the long form of `make nightly`."""

import os
from typing import TypeVar

T = TypeVar("T")
IS_LONG = os.environ.get("LONG_TESTS") == "1"


def length(short: T, nightly: T) -> T:
    """The first, or with LONG_TESTS=1 the second."""
    return nightly if IS_LONG else short
