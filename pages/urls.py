"""People's pages, by subject. Each answers with and without its trailing slash."""

from typing import Final

from django.templatetags.static import static
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from pages import stations

SUBJECTS: Final = (
    "dashboard", "people", "tokens", "devices", "commands", "machines", "install", "outlets", "stats", "money",
    "finding", "incidents", "channels",
)  # fmt: skip

urlpatterns = [
    # Browsers ask for it on pages that name no icon: the admin site, the API reference.
    re_path(r"^favicon\.ico$", require_safe(RedirectView.as_view(url=static("pages/favicon.svg"))), name="favicon"),
    *(path("", include(f"pages.{subject}.urls")) for subject in SUBJECTS),
    re_path(r"^stations/?$", stations.stations, name="stations"),
    re_path(r"^stations/(?P<serial>[^/\x00]+)/?$", stations.station, name="station"),
]
