"""The device routes of section 1, for the front door."""

from typing import Final

from device_gateway.claims.routes import CLAIM
from device_gateway.readings.routes import INGEST

ROUTES: Final = [(f"{prefix}/{route.path}", route) for prefix in ("gateway", "api") for route in (CLAIM, INGEST)]
"""Path below the root, and who answers there."""
