"""Every path the system answers. Device routes are here too: without the front door Django serves them alike."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerView

from ozone.accounts.forms import sign_in_page
from ozone.webapi.heavy import hashes_passwords
from ozontelemetry import health
from ozontelemetry.openapi import schema
from ozontelemetry.openapi.views import Description

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/login/", hashes_passwords(sign_in_page(admin.site.login))),
    path("admin/", admin.site.urls),
    path("", include("pages.urls")),
    path("gateway/", include("device_gateway.urls", namespace="device-gateway")),
    re_path(r"^api/schema/?$", Description.as_view(), name="schema"),
    re_path(
        r"^api/docs/?$",
        SpectacularSwaggerView.as_view(url_name="schema", **schema.ACCESS),
        name="docs",
    ),
    path("api/", include("ozone.webapi.urls")),
    path("api/", include("stations.urls")),
    path("api/", include("telemetry.urls")),
    path("api/", include("ledger.urls")),
    path("api/", include("alerts.urls")),
    path("api/", include("device_gateway.api_urls")),
    *(re_path(rf"^{route}/?$", view.as_view()) for route, view in health.ROUTES),
]
