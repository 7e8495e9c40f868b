"""The same routes without `/gateway`, and the registry's own, below `api/`."""

from typing import Final

from django.urls import re_path

from device_gateway.enrolment import views as enrolment
from device_gateway.registry import views as registry
from device_gateway.urls import DEVICE, not_found_pattern, section_1

app_name: Final = "device-api"

urlpatterns = [
    *section_1,
    re_path(r"^devices/?$", registry.DeviceList.as_view(), name="devices"),
    re_path(rf"^devices/{DEVICE}/rotate/?$", enrolment.Rotate.as_view(), name="device-rotate"),
    re_path(
        rf"^devices/{DEVICE}/allow-handshake/?$",
        enrolment.AllowHandshake.as_view(),
        name="device-allow-handshake",
    ),
    re_path(rf"^devices/{DEVICE}/handshakes/?$", enrolment.Handshakes.as_view(), name="device-handshakes"),
    re_path(rf"^devices/{DEVICE}/restore/?$", registry.Restore.as_view(), name="device-restore"),
    re_path(rf"^devices/{DEVICE}/?$", registry.DeviceDetail.as_view(), name="device"),
    not_found_pattern,
]
