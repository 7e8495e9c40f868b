"""Prices and shares."""

from django.urls import re_path

from ledger.prices import views

urlpatterns = [
    re_path(r"^prices/?$", views.Prices.as_view(), name="prices"),
    re_path(r"^prices/(?P<number>[0-9]{1,19})/?$", views.OnePrice.as_view(), name="price"),
    re_path(r"^shares/?$", views.Shares.as_view(), name="shares"),
    re_path(r"^shares/(?P<number>[0-9]{1,19})/?$", views.OneShare.as_view(), name="share"),
]
