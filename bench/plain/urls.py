"""The one route."""

from django.urls import path

from bench.plain.views import ingest

urlpatterns = [path("gateway/device-data/ingest", ingest)]
