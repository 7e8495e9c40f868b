"""Access and refresh tokens: signed, and good only as long as the account is what it was when they were made.

Nothing is stored: a token dies by its time, with the account's deactivation, with a new password, and, got through
the admin door, with the loss of staff status. Nothing here reads SIMPLE_JWT: in a host project that is the host's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from ozone.wire.conf import options
from ozone.wire.errors import Unauthorized

AUDIENCE: Final = "ozone-telemetry"
"""Keeps our tokens and a host project's own, signed with the same SECRET_KEY, from passing for each other."""
_ACCESS: Final = "access"
_REFRESH: Final = "refresh"


@lru_cache(maxsize=2)
def _signer(key: str) -> TokenBackend:
    return TokenBackend("HS256", signing_key=key, audience=AUDIENCE)


def issue(user: User, *, as_staff: bool) -> tuple[str, str]:
    """An access token and a refresh token; `as_staff` ones die when the user ceases to be staff."""
    return _sign(user, _ACCESS, as_staff), _sign(user, _REFRESH, as_staff)


def user_of(token: str) -> User:
    """The user an access token speaks for, as the database has them now. Raises Unauthorized."""
    return _read(token, _ACCESS)[0]


def refresh(token: str) -> str:
    """A new access token for a refresh token. Raises Unauthorized."""
    user, claims = _read(token, _REFRESH)
    return _sign(user, _ACCESS, claims["staff"])


def _sign(user: User, use: str, as_staff: bool) -> str:
    minutes = options().ACCESS_TOKEN_MINUTES if use == _ACCESS else options().REFRESH_TOKEN_HOURS * 60
    claims = {
        "use": use,
        "user": str(user.pk),
        "staff": as_staff,
        "stamp": _stamp(user),
        "exp": datetime.now(UTC) + timedelta(minutes=minutes),
    }
    return _signer(settings.SECRET_KEY).encode(claims)


def _read(token: str, use: str) -> tuple[User, Mapping[str, Any]]:
    try:
        claims = _signer(settings.SECRET_KEY).decode(token)  # type: ignore[arg-type]
    except (TokenBackendError, UnicodeError):
        raise Unauthorized("The token is not valid or has expired. Sign in again.") from None
    if claims.get("use") != use:
        raise Unauthorized(f"This is not {'an access' if use == _ACCESS else 'a refresh'} token.")
    user = get_user_model()._default_manager.filter(pk=claims["user"]).first()
    if (
        user is None
        or not user.is_active
        or (claims["staff"] and not user.is_staff)
        or not constant_time_compare(claims["stamp"], _stamp(user))
    ):
        raise Unauthorized("The account has changed since this token was made. Sign in again.")
    return user, claims


def _stamp(user: User) -> str:
    """Changes with the password, and tells nothing of it."""
    return salted_hmac("accounts.tokens", user.get_session_auth_hash(), algorithm="sha256").hexdigest()[:32]
