"""Section 3, to be included at `api/`. Every path works with and without its slash, never through a redirect."""

from django.urls import re_path

from ozone.webapi import views

app_name = "accounts"

urlpatterns = [
    re_path(r"^auth/login/?$", views.LoginView.as_view(), name="login"),
    re_path(r"^auth/logout/?$", views.LogoutView.as_view(), name="logout"),
    re_path(r"^auth/register/?$", views.RegisterView.as_view(), name="register"),
    re_path(r"^auth/user/?$", views.UserView.as_view(), name="user"),
    re_path(r"^auth/check/?$", views.CheckView.as_view(), name="check"),
    re_path(r"^auth/token/?$", views.TokenView.as_view(), name="token"),
    re_path(r"^admin/login/?$", views.AdminLoginView.as_view(), name="admin-login"),
    re_path(r"^admin/refresh/?$", views.RefreshView.as_view(), name="admin-refresh"),
]
