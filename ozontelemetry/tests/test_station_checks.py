"""Startup checks of the charging stations."""

import pytest
from pytest_django import Settings

from ozontelemetry.checks import settings_are_usable, stations_are_guarded


@pytest.mark.parametrize(
    ("secret", "previous", "enabled", "addresses", "expected"),
    [
        ("", "", "", [], []),
        ("x" * 32, "", "", ["10.0.0.1"], []),
        ("x" * 31, "", "", ["10.0.0.1"], ["ozone.E010"]),
        ("x" * 32, "short", "", ["10.0.0.1"], ["ozone.E010"]),
        ("x" * 32, "", "", [], ["ozone.W010"]),
        ("x" * 32, "", "", [" "], ["ozone.W010"]),
        ("", "", "1", ["10.0.0.1"], ["ozone.E010"]),
        ("short", "", "0", [], []),
    ],
)
def test_in_production(
    settings: Settings, secret: str, previous: str, enabled: str, addresses: list[str], expected: list[str]
) -> None:
    settings.IOT_SYSTEM_SIGNATURE_SECRET = secret
    settings.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS = previous
    settings.STATIONS_ENABLED = enabled
    settings.IOT_SYSTEM_ALLOWED_IPS = addresses
    found = stations_are_guarded()
    assert [message.id for message in found] == expected
    assert all(secret not in message.msg for message in found if secret)
    settings.DEBUG = True
    assert stations_are_guarded() == []


def test_a_word_that_is_neither(settings: Settings) -> None:
    settings.STATIONS_ENABLED = "maybe"
    assert "ozone.E011" in [message.id for message in settings_are_usable()]
    assert stations_are_guarded() == []
