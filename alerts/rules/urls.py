"""Rules, and what holds of a device."""

from django.urls import re_path

from alerts.rules import views

urlpatterns = [
    re_path(r"^alert-rules/?$", views.RulesOfAll.as_view(), name="alert-rules"),
    re_path(r"^alert-rules/effective/?$", views.ThresholdOfDevice.as_view(), name="alert-threshold"),
    re_path(r"^alert-rules/(?P<number>[0-9]{1,19})/?$", views.OneRule.as_view(), name="alert-rule"),
]
