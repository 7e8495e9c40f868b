"""The ledger."""

from django.urls import re_path

from ledger.lines import views

urlpatterns = [
    re_path(r"^ledger/?$", views.Ledger.as_view(), name="ledger"),
    re_path(r"^ledger/lines/(?P<number>[0-9]{1,19})/settle/?$", views.SettleLine.as_view(), name="settle-line"),
]
