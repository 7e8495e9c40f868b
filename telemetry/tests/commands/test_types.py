"""The table of command types, and who reads it."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from telemetry.commands.types import FIRMWARE_TYPES, RESETTING, CommandType, command_types, type_named

pytestmark = pytest.mark.alike

DOCS = Path(__file__).parents[3] / "docs"


def having(trait: str) -> set[str]:
    return {name for name, kind in FIRMWARE_TYPES.items() if getattr(kind, trait)}


def test_the_firmwares_own() -> None:
    """As the contract has them."""
    assert list(FIRMWARE_TYPES) == [
        "RESET_COUNTERS",
        "CLEAR_MEMORY",
        "CLEAR_QUEUE",
        "REBOOT_DEVICE",
        "UPDATE_SETTINGS",
        "GET_STATUS",
        "SYNC_TIME",
        "UPDATE_FIRMWARE",
    ]
    assert having("repeatable") == {"GET_STATUS", "SYNC_TIME", "UPDATE_SETTINGS"}
    assert having("opens_enrolment") == {"CLEAR_MEMORY"}
    assert having("resets_counters") == {"RESET_COUNTERS"} == set(RESETTING)
    assert having("done_after") == {"REBOOT_DEVICE"}
    assert having("is_final") == {"RESET_COUNTERS", "CLEAR_MEMORY", "CLEAR_QUEUE", "REBOOT_DEVICE"}


def test_a_deployments_own(settings: Settings) -> None:
    settings.COMMAND_TYPES = ["OPEN_DOOR", "GET_STATUS"]
    kinds = command_types()
    assert len(kinds) == len(FIRMWARE_TYPES) + 1
    assert kinds[-1] == CommandType("OPEN_DOOR") == type_named("OPEN_DOOR")
    settings.COMMAND_TYPES = []
    assert type_named("OPEN_DOOR") == CommandType("OPEN_DOOR"), "rows of it stay"


@pytest.mark.parametrize("kind", FIRMWARE_TYPES.values(), ids=lambda kind: kind.name)
@pytest.mark.sqlite_only
def test_the_docs_know_it(kind: CommandType) -> None:
    assert kind.name in (DOCS / "api.md").read_text()
    if kind.repeatable or kind.opens_enrolment or kind.done_after:
        assert kind.name in (DOCS / "devices.md").read_text(), "what its device should know of it"
