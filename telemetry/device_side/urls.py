"""The devices' own paths, and the one that they share with people."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from device_gateway.gate import DeviceRoute
from telemetry.device_side.ingest import EVENTS_ALIAS
from telemetry.device_side.routes import DEVICE_ROUTES
from telemetry.events.views import Events


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


urlpatterns = [
    re_path(r"^events/?$", either(EVENTS_ALIAS, Events.as_view()), name="events"),
    *(re_path(rf"^{route.path}/?$", route.as_view()) for route in DEVICE_ROUTES if route is not EVENTS_ALIAS),
]
