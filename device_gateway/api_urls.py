"""The same routes without `/gateway`, and the registry's own, below `api/`."""

from typing import Final

from django.urls import re_path

from device_gateway import enrolment_views, views
from device_gateway.urlpatterns import DEVICE, not_found_pattern, section_1

app_name: Final = "device-api"

urlpatterns = [
    *section_1,
    re_path(r"^devices/?$", views.DeviceList.as_view(), name="devices"),
    re_path(rf"^devices/{DEVICE}/rotate/?$", enrolment_views.Rotate.as_view(), name="device-rotate"),
    re_path(
        rf"^devices/{DEVICE}/allow-handshake/?$",
        enrolment_views.AllowHandshake.as_view(),
        name="device-allow-handshake",
    ),
    re_path(rf"^devices/{DEVICE}/handshakes/?$", enrolment_views.Handshakes.as_view(), name="device-handshakes"),
    re_path(rf"^devices/{DEVICE}/restore/?$", views.Restore.as_view(), name="device-restore"),
    re_path(rf"^devices/{DEVICE}/?$", views.DeviceDetail.as_view(), name="device"),
    not_found_pattern,
]
