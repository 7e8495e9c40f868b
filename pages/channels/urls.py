from django.urls import re_path

from pages.channels import views

urlpatterns = [
    re_path(r"^channels/stop/(?P<token>[\w:.-]{1,300})/?$", views.stop, name="channel-stop"),
]
