"""What people ask of events, and do with them."""

from django.urls import re_path

from telemetry.events import quarantine_views, views
from telemetry.paths import DEVICE, NUMBER

urlpatterns = [
    re_path(r"^events/analytics/?$", views.Analytics.as_view(), name="events-analytics"),
    re_path(rf"^events/{NUMBER}/?$", views.EventDetail.as_view(), name="event"),
    re_path(r"^export/?$", views.EventsCsv.as_view(), name="export"),
    re_path(r"^flush/?$", views.Flush.as_view(), name="flush"),
    re_path(rf"^devices/{DEVICE}/quarantine/?$", quarantine_views.Quarantine.as_view(), name="quarantine"),
    re_path(rf"^devices/{DEVICE}/quarantine/{NUMBER}/discard/?$", quarantine_views.Discard.as_view(), name="discard"),
    re_path(rf"^devices/{DEVICE}/quarantine/{NUMBER}/accept/?$", quarantine_views.Accept.as_view(), name="accept"),
    re_path(rf"^devices/{DEVICE}/redate/?$", quarantine_views.Redate.as_view(), name="redate"),
]
