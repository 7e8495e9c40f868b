"""Section 4, to be included at `api/`. Every path works with and without its slash, never through a redirect."""

from django.urls import re_path

from stations import views

app_name = "stations"

urlpatterns = [
    re_path(r"^internal/stations/data/?$", views.StationDataInternalView.as_view(), name="data"),
    re_path(r"^internal/stations/verify/?$", views.StationVerifyView.as_view(), name="verify"),
    re_path(r"^stations/?$", views.StationListView.as_view(), name="stations"),
    re_path(r"^stations/(?P<serial>[^/\x00]+)/?$", views.StationDetailView.as_view(), name="station"),
    re_path(r"^power-banks/?$", views.PowerBankListView.as_view(), name="power-banks"),
    # Without it an unknown address here would be answered in the shape of another API.
    re_path(r"^(internal/stations|stations|power-banks)(/|$)", views.NothingHere.as_view()),
]
