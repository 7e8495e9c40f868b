"""How a move spares the server beside it: what is set while it goes on, and set back after it."""

import gc

import pytest
from django.db import connection

from moving.pace import forced_at_the_end, step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]


def pragma(name: str) -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute(f"PRAGMA {name}").fetchall()[0][0])


@pytest.fixture(autouse=True)
def _on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's writers do not wait for each other")


class CutOff(Exception):
    """Whatever ends a move."""


def test_steps_do_not_wait_for_the_disk() -> None:
    full, normal = 2, 1
    before = pragma("user_version")

    def cut_off() -> None:
        with forced_at_the_end():
            with step():
                assert pragma("synchronous") == normal
            raise CutOff

    with pytest.raises(CutOff):
        cut_off()
    assert (pragma("synchronous"), pragma("user_version")) == (full, before)


def test_nothing_is_collected_while_everybody_waits() -> None:
    with step():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(CutOff), step():
        raise CutOff
    assert gc.isenabled()
