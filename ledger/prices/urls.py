"""Prices and shares."""

from django.urls import re_path

from ledger.prices import views

urlpatterns = [
    re_path(r"^prices/?$", views.Prices.as_view(), name="prices"),
    re_path(r"^shares/?$", views.Shares.as_view(), name="shares"),
]
