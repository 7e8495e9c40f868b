"""The paths of section 2, below `api/`. Each answers with and without its trailing slash, and never redirects."""

from typing import Final

from telemetry.commands.urls import urlpatterns as commands
from telemetry.device_side.urls import urlpatterns as device_side
from telemetry.events.urls import urlpatterns as events
from telemetry.figures.urls import urlpatterns as figures
from telemetry.machines.urls import urlpatterns as machines

app_name: Final = "telemetry"

urlpatterns = [*device_side, *events, *commands, *machines, *figures]
