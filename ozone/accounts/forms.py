"""Signing in on a page: Django's own forms, with the one way to check a password behind them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Final

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from ozone.accounts.callers import may_use_sections
from ozone.accounts.signin import LONGEST_PASSWORD, InvalidCredentials, check_password
from ozone.wire.errors import TooManyRequests

_CAPITALS: Final = "Capitals matter in the password only."


class SignInForm(AuthenticationForm):
    """`refusal` is set when the limit of failed sign-ins refused to look at the password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": f"Please enter a correct %(username)s and password. {_CAPITALS}",
    }
    staff_only: ClassVar[bool] = False
    refusal: TooManyRequests | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].validators.append(MaxLengthValidator(LONGEST_PASSWORD))

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if self.request is not None and username and password:
            try:
                self.user_cache = check_password(
                    self.request, username=username, password=password, staff_only=self.staff_only
                )
            except InvalidCredentials:
                raise self.get_invalid_login_error() from None
            except TooManyRequests as error:
                self.refusal = error
                raise ValidationError(error.detail, code=error.code) from None
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not may_use_sections(user):
            raise ValidationError("This account sends stations' messages and has no pages.", code="stations_only")


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The form of Django's admin site."""

    error_messages = {
        **SignInForm.error_messages,
        "invalid_login": f"Please enter the correct %(username)s and password for a staff account. {_CAPITALS}",
    }
    staff_only = True


def sign_in_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Around a view that shows a SignInForm as `form`: past the limit its page is a 429 with Retry-After."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        form = (getattr(response, "context_data", None) or {}).get("form")
        if refusal := getattr(form, "refusal", None):
            response.status_code = refusal.status
            for name, value in refusal.headers.items():
                response[name] = value
        return response

    return answer
