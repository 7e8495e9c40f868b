"""Incidents and maintenance."""

from django.urls import re_path

from alerts.incidents import views

_NUMBER = "(?P<number>[0-9]{1,19})"
urlpatterns = [
    re_path(r"^incidents/?$", views.Incidents.as_view(), name="incidents"),
    re_path(rf"^incidents/{_NUMBER}/?$", views.OneIncident.as_view(), name="incident"),
    re_path(rf"^incidents/{_NUMBER}/acknowledge/?$", views.Acknowledge.as_view(), name="acknowledge-incident"),
    re_path(rf"^incidents/{_NUMBER}/snooze/?$", views.Snooze.as_view(), name="snooze-incident"),
    re_path(r"^maintenance/?$", views.Windows.as_view(), name="maintenance"),
    re_path(rf"^maintenance/{_NUMBER}/?$", views.OneWindow.as_view(), name="maintenance-window"),
]
