"""The forms on our pages. Every password that is checked goes through `accounts.signin`, so that tries are counted."""

import secrets
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts.callers import address_of
from accounts.registration import register
from accounts.signin import InvalidCredentials, check_password
from device_gateway import crypto
from device_gateway.models import Device, ProvisioningToken
from device_gateway.queries import visible_devices
from device_gateway.services import MAX_LIFETIME_MINUTES
from pages.queries import CHOICES, matching_devices
from wire.errors import Invalid, TooManyRequests

_PASSWORD_RULES = "At least 8 characters, not only digits, and not much like your name."  # noqa: S105


def _password(label: str, kind: str, help_text: str = "") -> forms.CharField:
    """`kind` tells password managers which one is meant: current-password or new-password."""
    widget = forms.PasswordInput(attrs={"autocomplete": kind})
    return forms.CharField(label=label, strip=False, widget=widget, help_text=help_text)


class RegisterForm(forms.Form):
    """An account for oneself."""

    refusal: TooManyRequests | None = None

    username = forms.CharField(
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


class DevicePicker:
    """The actor's devices that have the words, as `choices` for a select: at most 200 of them, `more` when there are
    others. `total` is the number of all their devices.
    """

    def __init__(self, actor: Any, words: str) -> None:
        self.words = words.replace("\0", "").strip()[:100]  # PostgreSQL takes no NUL
        self.total = visible_devices(actor).count()
        devices = list(matching_devices(actor, self.words).select_related("owner")[: CHOICES + 1])
        self.more = len(devices) > CHOICES
        self.choices = [(device.pk, _described(device, actor)) for device in devices[:CHOICES]]

    @property
    def is_needed(self) -> bool:
        """Whether a search is of use, or only in the way."""
        return self.total > 10 or bool(self.words)


def _described(device: Device, actor: Any) -> str:
    """How a device reads in a list: its name and what tells it from others of that name."""
    words = [device.name, device.device_id, device.location]
    if actor.is_staff and device.owner_id != actor.pk:
        words.append(f"of {device.owner.get_username()}" if device.owner else "no owner")
    return " · ".join(word for word in words if word)


class TokenForm(forms.Form):
    """A provisioning token for one of the actor's devices. `nonce` is good for one token: a page that is loaded
    again must not issue another."""

    nonce = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=lambda: secrets.token_urlsafe(16))
    device = forms.ModelChoiceField(queryset=Device.objects.none(), empty_label=None)
    lifetime_minutes = forms.IntegerField(
        label="Lifetime in minutes",
        required=False,
        min_value=1,
        max_value=MAX_LIFETIME_MINUTES,
        help_text="Empty: it never expires.",
        widget=forms.NumberInput(attrs={"list": "lifetimes", "placeholder": "never expires"}),
    )
    notes = forms.CharField(
        required=False,
        max_length=ProvisioningToken._meta.get_field("notes").max_length,
        help_text="For you and your colleagues, as “Line A, third meter”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    encryption = forms.ChoiceField(
        label="Readings",
        required=False,
        choices=[("", "Sent as they are"), (Device.Encryption.AESGCM, "Encrypted by the device (AES-256-GCM)")],
        help_text="Encrypted: the claim also hands out an AES key, and plain readings are refused from then on.",
    )

    def __init__(self, actor: Any, picker: DevicePicker, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        device = self.fields["device"]
        device.queryset = visible_devices(actor)  # type: ignore[attr-defined]
        # In the place of the field's own choices, which would be every device there is.
        device.widget.choices = [("", "Choose a device"), *picker.choices]
        if not crypto.can_encrypt():
            del self.fields["encryption"]

    @property
    def names_no_device_of_theirs(self) -> bool:
        """Whether a device was named that is not there, or not theirs: to them that is the same."""
        return self.has_error("device", "invalid_choice")
