import pytest

from alerts.runner import standing


@pytest.fixture(autouse=True)
def _other_conditions_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have tests of their own, and a simulated minute costs what a real one does."""
    monkeypatch.setattr(standing, "EVERY", 1800.0)
