"""The operators' side: Olga is staff, Vera owns the device at Chai Chee."""

import pytest

from telemetry.tests.cast import Site


@pytest.fixture
def site(db: None) -> Site:
    return Site.laid()
