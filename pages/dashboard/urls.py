from django.urls import re_path

from pages.dashboard import views

urlpatterns = [
    re_path(r"^$", views.start, name="start"),
]
