"""Is the process up, is the database writable, what has been going on: for load balancers and Prometheus."""

import hmac
import time
from typing import Any, Final

from django.db import connection

from device_gateway.gate import Call, DeviceRoute
from device_gateway.versions import RegistryVersion
from ozone.intake import write_path
from ozone.intake.standing import standing
from ozone.wire import metrics
from ozone.wire.conf import options
from ozone.wire.errors import Unauthorized, Unavailable
from ozone.wire.http import Reply, Request, is_from_this_machine

READY_SECONDS: Final = 5.0
_OK: Final = Reply.json(200, {"status": "ok"})


class _Ready:
    """When the database last took a write; many probes cost one write in five seconds."""

    until = 0.0


def healthz(request: Request) -> Reply:
    """200 while the process can work; 503 when its writer has died and only a restart helps."""
    if not write_path.is_healthy:
        raise Unavailable("The writer has stopped. Restart the server.", code="writer_dead")
    return _OK


def readyz(request: Request) -> Reply | Call:
    """200 when the database has just taken a write, in the way that readings take."""
    standing.check(connection)
    if time.monotonic() < _Ready.until:
        return _OK

    def written(_: Any) -> Reply:
        _Ready.until = time.monotonic() + READY_SECONDS
        return _OK

    return Call(_touch, {}, written)


def _touch() -> None:
    RegistryVersion.touch()


def metrics_page(request: Request) -> Reply:
    """Prometheus' text format; from this machine, or with METRICS_TOKEN as bearer."""
    token = options().METRICS_TOKEN
    allowed = hmac.compare_digest(request.bearer().encode(), token.encode()) if token else False
    if not allowed and not is_from_this_machine(request.peer, request.headers, request.scheme):
        raise Unauthorized("Metrics are for this machine, or for a bearer of METRICS_TOKEN.")
    return Reply(200, metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES: Final = [
    (path, DeviceRoute(path, {"GET": handler, "HEAD": handler}, is_open=True, plain_http=True))
    for path, handler in (("healthz", healthz), ("readyz", readyz), ("metrics", metrics_page))
]
