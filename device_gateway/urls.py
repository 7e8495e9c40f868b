"""All of section 1 below one mount: `path("gateway/", include("device_gateway.urls", namespace="device-gateway"))`.

The token page is the project's own (app `pages`), which puts it at `gateway/device-tokens` before this include.
"""

from typing import Final

from device_gateway.urlpatterns import not_found_pattern, section_1

app_name: Final = "device-gateway"
urlpatterns = [*section_1, not_found_pattern]
