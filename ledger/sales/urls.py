"""Revenue."""

from django.urls import re_path

from ledger.sales import views

urlpatterns = [
    re_path(r"^revenue/?$", views.Revenue.as_view(), name="revenue"),
    re_path(r"^revenue/export\.csv/?$", views.RevenueExport.as_view(), name="revenue-export"),
]
