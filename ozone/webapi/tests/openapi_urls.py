"""Section 3 alone."""

from django.urls import include, path

urlpatterns = [path("api/", include("ozone.webapi.urls"))]
