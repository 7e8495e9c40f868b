from django.urls import re_path

from pages.finding import views

urlpatterns = [re_path(r"^find/?$", views.find, name="find")]
