"""The bodies of section 3, in and out."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user_model
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from ozone.accounts.signin import LONGEST_NAME, LONGEST_PASSWORD
from ozone.webapi.names import Name


class Problem(serializers.Serializer[Any]):
    """An error of section 0."""

    detail = serializers.CharField(help_text="A sentence a person can act on.")
    code = serializers.CharField(help_text="A stable word.")
    errors = serializers.DictField(  # type: ignore[assignment]  # a field, not the property of that name
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Sentences by the path of the field at fault.",
    )


class Told(serializers.CharField):
    """A name or a password as somebody tells it, of any length: no more of it is looked at than is nobody's."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data)[: LONGEST_PASSWORD + 1]


class SignIn(serializers.Serializer[Any]):
    username = Told()
    password = Told(trim_whitespace=False)


class AdminSignIn(serializers.Serializer[Any]):
    """A user name or an e-mail address; with both, the user name counts."""

    username = Told(required=False)
    email = Told(required=False)
    password = Told(trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "username" not in attrs and "email" not in attrs:
            raise serializers.ValidationError({"email": "Send an email or a username."})
        return attrs


class Refresh(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(max_length=4096)


class Registration(serializers.Serializer[Any]):
    """What the fields may hold is for the user model to say; here only how long they are looked at."""

    username = Name(max_length=LONGEST_NAME)
    password = Told(trim_whitespace=False, max_length=LONGEST_PASSWORD)
    email = Told(required=False, allow_blank=True, max_length=LONGEST_NAME)
    first_name = Name(required=False, allow_blank=True, max_length=LONGEST_NAME)
    last_name = Name(required=False, allow_blank=True, max_length=LONGEST_NAME)


class NewUser(serializers.ModelSerializer[Any]):
    """A user as registration returns them."""

    email = serializers.CharField(read_only=True, help_text="Empty where none was given.")

    class Meta:
        model = get_user_model()
        fields: tuple[str, ...] = ("id", "username", "email", "first_name", "last_name")
        read_only_fields: tuple[str, ...] = fields


class Person(NewUser):
    """A user as every other reply has them."""

    class Meta(NewUser.Meta):
        fields = (*NewUser.Meta.fields, "is_staff", "is_superuser")
        read_only_fields = fields


_success: Final = serializers.BooleanField
_tokens: Final = inline_serializer(
    "Tokens",
    {
        "user_id": serializers.IntegerField(),
        "access_token": serializers.CharField(help_text="Lives 60 minutes."),
        "refresh_token": serializers.CharField(help_text="Lives 24 hours."),
        "user": Person(),
    },
)

# Replies, for the OpenAPI
SIGNED_IN: Final = inline_serializer("SignedIn", {"success": _success(), "user": Person()})
SIGNED_OUT: Final = inline_serializer("SignedOut", {"success": _success(), "message": serializers.CharField()})
REGISTERED: Final = inline_serializer(
    "Registered", {"success": _success(), "message": serializers.CharField(), "user": NewUser()}
)
NOT_REGISTERED: Final = inline_serializer(
    "NotRegistered",
    {
        "success": _success(),
        "message": serializers.CharField(),
        "errors": serializers.DictField(child=serializers.ListField(child=serializers.CharField())),
    },
)
CHECKED: Final = inline_serializer(
    "Checked", {"authenticated": serializers.BooleanField(), "user": Person(allow_null=True)}
)
ADMIN_SIGNED_IN: Final = inline_serializer(
    "AdminSignedIn", {"success": _success(), "message": serializers.CharField(), "data": _tokens}
)
TOKENS_ISSUED: Final = inline_serializer("TokensIssued", {"success": _success(), "data": _tokens})
REFRESHED: Final = inline_serializer(
    "Refreshed",
    {
        "success": _success(),
        "data": inline_serializer("NewAccessToken", {"access_token": serializers.CharField()}),
    },
)
NOT_SIGNED_IN: Final = inline_serializer("NotSignedIn", {"success": _success(), "message": serializers.CharField()})
NO_TOKENS: Final = inline_serializer(
    "NoTokens",
    {"success": _success(), "message": serializers.CharField(), "error": serializers.CharField()},
)


def valid(serializer_class: Callable[..., Any], data: Any) -> dict[str, Any]:
    """The fields that were sent; raises ValidationError naming those at fault."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
