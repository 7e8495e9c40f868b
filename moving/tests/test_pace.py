"""Short steps with pauses between them: whoever serves beside a move gets its turn."""

import pytest
from django.db import transaction

from moving import pace
from moving.tests.conftest import move
from moving.tests.old import Old, person


@pytest.mark.sqlite_only  # PostgreSQL has a queue of its own, and no pauses
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "steps"),
    [pytest.param(60.0, 3, id="by number"), pytest.param(0.0, 2 * pace.WRITTEN_AT_ONCE + 1, id="by time")],
)
def test_people_come_in_steps(first: Old, monkeypatch: pytest.MonkeyPatch, seconds: float, steps: int) -> None:
    first.add("auth_user", *(person(n, f"p{n}") for n in range(2 * pace.WRITTEN_AT_ONCE + 1)))
    pauses: list[bool] = []
    around = len(transaction.get_connection().savepoint_ids)

    def pause(_: float) -> None:
        pauses.append(len(transaction.get_connection().savepoint_ids) == around)

    monkeypatch.setattr(pace, "STEP_SECONDS", seconds)
    monkeypatch.setattr(pace.time, "sleep", pause)
    assert move(first).tables["auth_user"].added == 2 * pace.WRITTEN_AT_ONCE + 1
    assert pauses == [True] * steps, "and nobody pauses within a transaction"
