"""The short form of a long test, as every run has it, and the long form of `make nightly`."""

import os

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def length(short: int, nightly: int) -> int:
    """The first, or with LONG_TESTS=1 the second."""
    return nightly if IS_LONG else short
