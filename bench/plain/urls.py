"""The two routes."""

from django.urls import path

from bench.plain.views import event, ingest

urlpatterns = [path("gateway/device-data/ingest", ingest), path("api/device/events/", event)]
