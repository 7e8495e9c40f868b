"""Statistics of usage."""

from django.urls import re_path

from telemetry.figures import views

urlpatterns = [
    re_path(r"^stats/?$", views.Stats.as_view(), name="stats"),
    re_path(r"^stats/options/?$", views.StatsOptions.as_view(), name="stats-options"),
    re_path(r"^stats/export\.csv/?$", views.StatsExport.as_view(), name="stats-export"),
    # As the seeds print them.
    re_path(r"^test/stats/?$", views.StatsAlias.as_view()),
    re_path(r"^test/stats-options/?$", views.StatsOptionsAlias.as_view()),
    re_path(r"^test/stats-export\.csv/?$", views.StatsExportAlias.as_view()),
]
