"""All of section 1 below one mount: `path("gateway/", include("device_gateway.urls", namespace="device-gateway"))`.

Each path answers with and without its trailing slash, and never redirects. The token page is the project's own (app
`pages`), which puts it at `gateway/device-tokens` before this include.
"""

from typing import Final

from django.urls import re_path

from device_gateway.claims.routes import CLAIM
from device_gateway.claims.views import Provision
from device_gateway.readings.routes import INGEST
from device_gateway.readings.views import History, Latest
from ozone.webapi.view import NothingHere

DEVICE: Final = r"(?P<name>[^/]+)"

section_1 = [
    re_path(rf"^{CLAIM.path}/?$", CLAIM.as_view(), name="claim"),
    re_path(rf"^{INGEST.path}/?$", INGEST.as_view(), name="ingest"),
    re_path(rf"^devices/{DEVICE}/provision/?$", Provision.as_view(), name="provision"),
    re_path(rf"^devices/{DEVICE}/telemetry/latest/?$", Latest.as_view(), name="telemetry-latest"),
    re_path(rf"^devices/{DEVICE}/telemetry/?$", History.as_view(), name="telemetry"),
]
# In a project that knows nothing of our errors an unknown path here would be an HTML page.
not_found_pattern = re_path(r"", NothingHere.as_view())

app_name: Final = "device-gateway"
urlpatterns = [*section_1, not_found_pattern]
