import pytest

from alerts.runner import standing
from tests.support.length import length


@pytest.fixture(autouse=True)
def _other_conditions_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have tests of their own, and a simulated minute costs what a real one does."""
    monkeypatch.setattr(standing, "EVERY", length(1800.0, 6 * 3600.0))
