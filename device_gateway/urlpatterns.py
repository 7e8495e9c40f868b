"""The paths of section 1, mounted twice. Each answers with and without its trailing slash, and never redirects."""

from typing import Final

from django.urls import re_path

from device_gateway import door, views

DEVICE: Final = r"(?P<name>[^/]+)"

section_1 = [
    re_path(rf"^{door.CLAIM.path}/?$", door.CLAIM.as_view(), name="claim"),
    re_path(rf"^{door.INGEST.path}/?$", door.INGEST.as_view(), name="ingest"),
    re_path(rf"^devices/{DEVICE}/provision/?$", views.Provision.as_view(), name="provision"),
    re_path(rf"^devices/{DEVICE}/telemetry/latest/?$", views.Latest.as_view(), name="telemetry-latest"),
    re_path(rf"^devices/{DEVICE}/telemetry/?$", views.History.as_view(), name="telemetry"),
]

# In a project that knows nothing of our errors an unknown path here would be an HTML page.
not_found_pattern = re_path(r"", views.NothingHere.as_view())
