"""People's forms: an account, a new password. Every password that is checked goes through
`ozone.accounts.signin`, so that tries are counted."""

from typing import Any, cast

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ozone.accounts.callers import address_of
from ozone.accounts.registration import register
from ozone.accounts.signin import LONGEST_PASSWORD, InvalidCredentials, check_password
from ozone.webapi.names import NameField
from ozone.wire.errors import Invalid, TooManyRequests

_PASSWORD_RULES = "At least 8 characters, not only digits, and not much like your name."  # noqa: S105


def _password(label: str, kind: str, help_text: str = "") -> forms.CharField:
    """`kind` tells password managers which one is meant: current-password or new-password."""
    widget = forms.PasswordInput(attrs={"autocomplete": kind})
    return forms.CharField(label=label, strip=False, widget=widget, help_text=help_text, max_length=LONGEST_PASSWORD)


class RegisterForm(forms.Form):
    """An account for oneself."""

    refusal: TooManyRequests | None = None

    username = NameField(
        label="Username",
        max_length=150,
        help_text="Letters, digits and @ . + - _",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    email = forms.EmailField(
        label="E-mail address",
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = _password("Password", "new-password", _PASSWORD_RULES)
    password_again = _password("Password again", "new-password")

    def clean_password_again(self) -> str:
        again: str = self.cleaned_data["password_again"]
        if again != self.cleaned_data.get("password", again):
            raise ValidationError("The two passwords differ.", code="password_mismatch")
        return again

    def save(self, request: HttpRequest) -> User | None:
        """The new account; None where it was refused, and then the form's errors say why.

        Raises Forbidden where registration is closed.
        """
        data = self.cleaned_data
        try:
            return register(
                address=address_of(request),
                username=data["username"],
                email=data["email"],
                password=data["password"],
            )
        except Invalid as error:
            for field, sentences in (error.errors or {}).items():
                self.add_error(field if field in self.fields else None, list(sentences))
        except TooManyRequests as error:
            self.refusal = error
            self.add_error(None, error.detail)
        return None


class _ProvesIdentity:
    """A form on which who is signed in gives their password once more; wrong tries count as failed sign-ins."""

    request: HttpRequest
    refusal: TooManyRequests | None = None

    @sensitive_variables("password")
    def require_own(self, password: str) -> None:
        """Raises ValidationError unless it is theirs; `refusal` is set when it was not even looked at."""
        try:
            check_password(self.request, username=self.request.user.get_username(), password=password)
        except InvalidCredentials:
            raise ValidationError("This is not your password.", code="password_incorrect") from None
        except TooManyRequests as error:
            self.refusal = error
            raise ValidationError(error.detail, code=error.code) from None


class NewPasswordForm(_ProvesIdentity, PasswordChangeForm):
    """Django's form to change one's own password."""

    old_password = _password("Current password", "current-password")
    new_password1 = _password("New password", "new-password", _PASSWORD_RULES)
    new_password2 = _password("New password again", "new-password")

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(cast(User, request.user), data)  # the page is for who is signed in
        self.request = request

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        self.require_own(old_password)
        return old_password


class PasswordForm(_ProvesIdentity, forms.Form):
    """Nothing but one's own password."""

    password = _password("Your password", "current-password", "So that nobody does this at a screen you left open.")

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data)
        self.request = request

    @sensitive_variables("password")
    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        self.require_own(password)
        return password
