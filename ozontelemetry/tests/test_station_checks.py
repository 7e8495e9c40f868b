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


@pytest.mark.parametrize(
    ("entry", "is_of_use"),
    [
        ("213.210.21.113", True),
        (" 10.0.0.0/8 ", True),
        ("2001:db8::/32", True),
        ("api.chargeghar.com", True),
        ("api.chargeghar.com.", True),
        ("partner", True),
        ("my_host-1.internal", True),
        ("bücher.example", True),
        ("", True),
        ("213.210.21.113:8080", False),
        ("https://api.chargeghar.com", False),
        ("api.chargeghar.com:8080", False),
        ("213.210.21.300", False),
        ("10.0.0.0/33", False),
        ("two words", False),
        ("x" * 64, False),
    ],
)
def test_entries_of_the_list(settings: Settings, entry: str, is_of_use: bool) -> None:
    settings.IOT_SYSTEM_ALLOWED_IPS = ["192.0.2.1", entry]
    found = settings_are_usable()
    assert [message.id for message in found] == ([] if is_of_use else ["ozone.E004"])
    assert all(repr(entry) in message.msg for message in found)


def test_a_word_that_is_neither(settings: Settings) -> None:
    settings.STATIONS_ENABLED = "maybe"
    assert "ozone.E011" in [message.id for message in settings_are_usable()]
    assert stations_are_guarded() == []
