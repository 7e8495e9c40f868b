from django.urls import re_path

from pages.stats import views

urlpatterns = [
    re_path(r"^stats/?$", views.stats, name="stats"),
]
