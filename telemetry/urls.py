"""The paths of section 2, below `api/`. Each answers with and without its trailing slash, and never redirects."""

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from device_gateway.gate import DeviceRoute
from telemetry.commands import views as commands
from telemetry.device_side import ingest
from telemetry.device_side.routes import DEVICE_ROUTES
from telemetry.events import export_views as export
from telemetry.events import flush_views as flush
from telemetry.events import quarantine_views as quarantine
from telemetry.events import views as events
from telemetry.figures import views as stats
from telemetry.machines import device_views as devices
from telemetry.machines import log_views as logs
from telemetry.machines import views as machines

DEVICE: Final = r"(?P<name>[^/]+)"
TARGET: Final = r"(?P<device_id>[^/]+)"
COMMAND: Final = r"commands/(?P<command_id>[^/]+)"
NUMBER: Final = r"(?P<number>[0-9]{1,18})"


def either(route: DeviceRoute, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A path that devices and people share: the route answers its own methods, and those that nobody has."""
    of_devices = route.as_view()

    def shared(request: HttpRequest, **params: Any) -> HttpResponseBase:
        is_peoples = request.method in route.allowed and request.method not in route.handlers
        return (view if is_peoples else of_devices)(request, **params)

    shared.counts_all_but = set(route.allowed) - set(route.handlers)  # type: ignore[attr-defined]
    # What the OpenAPI's generator looks for.
    shared.is_heavy = view.cls.is_heavy  # type: ignore[attr-defined]
    shared.cls, shared.initkwargs = view.cls, view.initkwargs  # type: ignore[attr-defined]
    return transaction.non_atomic_requests(csrf_exempt(shared))


app_name: Final = "telemetry"

urlpatterns = [
    re_path(r"^events/?$", either(ingest.EVENTS_ALIAS, events.Events.as_view()), name="events"),
    *(re_path(rf"^{route.path}/?$", route.as_view()) for route in DEVICE_ROUTES if route is not ingest.EVENTS_ALIAS),
    re_path(r"^events/analytics/?$", events.Analytics.as_view(), name="events-analytics"),
    re_path(rf"^events/{NUMBER}/?$", events.EventDetail.as_view(), name="event"),
    re_path(r"^export/?$", export.EventsCsv.as_view(), name="export"),
    re_path(r"^flush/?$", flush.Flush.as_view(), name="flush"),
    re_path(rf"^device/{TARGET}/commands/create/?$", commands.Create.as_view(), name="command-create"),
    re_path(rf"^device/{TARGET}/commands/status/?$", commands.CommandStatus.as_view(), name="command-status"),
    re_path(r"^commands/bulk/?$", commands.Bulk.as_view(), name="command-bulk"),
    re_path(rf"^{COMMAND}/retry/?$", commands.Retry.as_view(), name="command-retry"),
    re_path(rf"^{COMMAND}/cancel/?$", commands.Cancel.as_view(), name="command-cancel"),
    re_path(r"^devices/online/?$", devices.Online.as_view(), name="devices-online"),
    re_path(r"^devices/all/?$", devices.All.as_view(), name="devices-all"),
    re_path(r"^devices-data/?$", devices.DevicesData.as_view(), name="devices-data"),
    re_path(r"^devices/?$", devices.Devices.as_view(), name="devices-list"),
    re_path(rf"^devices/{DEVICE}/quarantine/?$", quarantine.Quarantine.as_view(), name="quarantine"),
    re_path(rf"^devices/{DEVICE}/quarantine/{NUMBER}/discard/?$", quarantine.Discard.as_view(), name="discard"),
    re_path(rf"^devices/{DEVICE}/quarantine/{NUMBER}/accept/?$", quarantine.Accept.as_view(), name="accept"),
    re_path(rf"^devices/{DEVICE}/redate/?$", quarantine.Redate.as_view(), name="redate"),
    re_path(r"^telemetry/summary/?$", devices.Summary.as_view(), name="telemetry-summary"),
    re_path(r"^telemetry/latest/?$", devices.Newest.as_view(), name="telemetry-latest-of-any"),
    re_path(r"^outlets/?$", machines.Outlets.as_view(), name="outlets"),
    re_path(rf"^outlets/{NUMBER}/?$", machines.OutletDetail.as_view(), name="outlet"),
    re_path(r"^machines/?$", machines.Machines.as_view(), name="machines"),
    re_path(r"^machines/register/?$", machines.Register.as_view(), name="machine-register"),
    re_path(r"^machines/unregistered/?$", machines.Unregistered.as_view(), name="machines-unregistered"),
    re_path(rf"^machines/{NUMBER}/?$", machines.MachineDetail.as_view(), name="machine"),
    re_path(rf"^machines/{NUMBER}/logs/?$", logs.MachineLogs.as_view(), name="machine-logs"),
    re_path(r"^stats/?$", stats.Stats.as_view(), name="stats"),
    re_path(r"^stats/options/?$", stats.StatsOptions.as_view(), name="stats-options"),
    re_path(r"^stats/export\.csv/?$", stats.StatsExport.as_view(), name="stats-export"),
    # As the seeds print them.
    re_path(r"^test/stats/?$", stats.StatsAlias.as_view()),
    re_path(r"^test/stats-options/?$", stats.StatsOptionsAlias.as_view()),
    re_path(r"^test/stats-export\.csv/?$", stats.StatsExportAlias.as_view()),
]
