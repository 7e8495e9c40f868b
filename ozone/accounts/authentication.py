"""The credentials of a person, in the order in which they are looked at: access token, session."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from ozone.accounts import crosssite
from ozone.accounts.callers import is_person
from ozone.accounts.tokens import user_of
from ozone.wire.errors import Unauthorized


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`. The header, if present, alone decides: whatever is wrong with it is a 401.

    A subclass that overrides `authenticate_bearer` lets another kind of key in, as a device's own.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        header = request.headers.get("authorization")
        if header is None:
            return None
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            raise Unauthorized("Send the token as Authorization: Bearer <token>.")
        return self.authenticate_bearer(request, token.strip()), None

    def authenticate_bearer(self, request: Request, token: str) -> Any:
        """The caller whose token this is. Raises Unauthorized."""
        return user_of(token)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SessionAuthentication(BaseAuthentication):
    """The session cookie; what writes must pass the cross-site rule."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "user", None)
        if not is_person(user) or not user.is_active:
            return None
        if request.method not in SAFE_METHODS:
            crosssite.check(request._request)
        return user, None
