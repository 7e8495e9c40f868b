"""A hand-written request without a Content-Length: its body is never read, and the refusal says why."""

from typing import Any

import pytest

from device_gateway.tests.conftest import INGEST
from telemetry.tests.conftest import EVENTS, MAC, Esp32
from tests.support.doors import Door

pytestmark = [pytest.mark.both_doors, pytest.mark.sqlite_only]

SAYS = "The body is empty. A request that has one tells its Content-Length, or sends it in chunks."
RESULT = f"/api/device/{MAC}/commands/00000000-0000-4000-8000-000000000000/"


@pytest.mark.parametrize("kind", ["application/json", ""])
@pytest.mark.parametrize("path", [INGEST, EVENTS, "/api/events/", RESULT, "/api/handshake/", "/api/iot/"])
def test_every_route_that_needs_one(door: Door, esp32: Esp32, settings: Any, path: str, kind: str) -> None:
    settings.LEGACY_INGEST = "on"
    headers = {"Authorization": f"Bearer {esp32.token}"} | ({"Content-Type": kind} if kind else {})
    answer = door.send("POST", path, b"", headers)
    assert (answer.status, answer.json()["detail"]) == (400, SAYS)
