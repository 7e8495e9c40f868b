from django.urls import re_path

from pages.people import views

urlpatterns = [
    re_path(r"^login/?$", views.sign_in, name="login"),
    re_path(r"^logout/?$", views.sign_out, name="logout"),
    re_path(r"^register/?$", views.register, name="register"),
    re_path(r"^account/?$", views.account, name="account"),
]
