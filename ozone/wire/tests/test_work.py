"""How soon Python's lock is passed on."""

import sys

import pytest

from ozone.wire.work import PASS_ON_SECONDS, SOON_SECONDS, computing


def test_while_anybody_computes_it_is_passed_on_sooner() -> None:
    before = sys.getswitchinterval()
    try:
        with computing:
            with computing:
                assert sys.getswitchinterval() == pytest.approx(SOON_SECONDS)
            assert sys.getswitchinterval() == pytest.approx(SOON_SECONDS)
        assert sys.getswitchinterval() == pytest.approx(PASS_ON_SECONDS)
    finally:
        sys.setswitchinterval(before)
