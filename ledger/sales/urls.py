"""Revenue."""

from django.urls import re_path

from ledger.sales import outlet_views, views

urlpatterns = [
    re_path(r"^revenue/?$", views.Revenue.as_view(), name="revenue"),
    re_path(r"^revenue/export\.csv/?$", views.RevenueExport.as_view(), name="revenue-export"),
    re_path(r"^revenue/outlets/?$", outlet_views.OutletRevenue.as_view(), name="revenue-outlets"),
    re_path(r"^revenue/outlets\.csv/?$", outlet_views.OutletRevenueExport.as_view(), name="revenue-outlets-export"),
]
