"""The device routes of section 2, for the front door and for the URLconf alike."""

from typing import Final

from telemetry.device_side import commands, ingest

DEVICE_ROUTES: Final = [
    ingest.HANDSHAKE,
    ingest.DEVICE_EVENTS,
    ingest.EVENTS_ALIAS,
    ingest.LEGACY,
    commands.POLL,
    commands.REPORT,
]
ROUTES: Final = [(f"api/{route.path}", route) for route in DEVICE_ROUTES]
"""Path below the root, and who answers there."""
