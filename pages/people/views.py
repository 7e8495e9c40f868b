"""Signing in and out, making an account, and one's own account."""

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ozone.accounts.forms import SignInForm, sign_in_page
from ozone.accounts.registration import require_open
from ozone.webapi.heavy import hashes_passwords
from ozone.wire.conf import options
from ozone.wire.errors import Forbidden
from pages.kit.frame import page, refused, signed_in_page
from pages.people.forms import NewPasswordForm, RegisterForm

sign_in = hashes_passwords(
    page(
        sign_in_page(
            LoginView.as_view(
                form_class=SignInForm,
                template_name="pages/people/login.html",
                redirect_authenticated_user=True,
                extra_context={"registration_is_open": lambda: options().REGISTRATION == "open"},
            )
        )
    )
)
sign_out = page(LogoutView.as_view(next_page="/login/"))


@hashes_passwords
@page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("start")
    try:
        require_open()
    except Forbidden as error:
        return render(request, "pages/people/registration_closed.html", {"detail": error.detail}, status=error.status)
    form = RegisterForm(request.POST or None)
    if form.is_valid() and (user := form.save(request)):
        login(request, user)
        messages.success(request, f"Welcome, {user.get_username()}. Your account is ready.")
        return redirect("start")
    return refused(render(request, "pages/people/register.html", {"form": form}), form.refusal)


@hashes_passwords
@signed_in_page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    form = NewPasswordForm(request, request.POST or None)
    if form.is_valid():
        # Every other session of theirs ends; this one goes on.
        update_session_auth_hash(request, form.save())
        messages.success(request, "Your password is changed. Other browsers and access tokens are signed out.")
        return redirect("account")
    return refused(render(request, "pages/people/account.html", {"form": form}), form.refusal)
