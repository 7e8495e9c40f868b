"""Who is calling, in what role, and from where."""

from typing import Final, TypeAlias, TypeGuard

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from ozone.wire.address import client_address
from ozone.wire.conf import options
from ozone.wire.http import is_from_this_machine

STATION_CONNECTOR: Final = "station-connector"
"""The group whose accounts get access tokens that are good for section 4 of the contract only, and no session."""


class LocalOperator:
    """In development, whoever works on this machine and shows no credential: staff where a view allows it."""

    pk: Final = None
    id: Final = None
    username: Final = ""
    is_active: Final = True
    is_anonymous: Final = False
    is_authenticated: Final = True
    is_staff: Final = True
    is_superuser: Final = False

    def __str__(self) -> str:
        return "local operator"


Caller: TypeAlias = User | AnonymousUser | LocalOperator


def is_person(caller: object) -> TypeGuard[User]:
    """Whether the caller has an account here (the local operator has none, and a device is no person)."""
    return isinstance(caller, AbstractBaseUser)


def is_signed_in(caller: object) -> bool:
    return bool(getattr(caller, "is_authenticated", False))


def is_staff(caller: object) -> bool:
    return is_signed_in(caller) and bool(getattr(caller, "is_staff", False))


def is_superuser(caller: object) -> bool:
    return is_signed_in(caller) and bool(getattr(caller, "is_superuser", False))


def may_use_sections(user: User) -> bool:
    """Whether the user's access tokens are good beyond section 4. A change of group works at once."""
    return not user.groups.filter(name=STATION_CONNECTOR).exists()


def headers_of(request: HttpRequest) -> dict[str, str]:
    """The request's headers by lower-case name, as `wire` wants them. Raises DisallowedHost where Host is missing and
    Django's own guess at it is not allowed.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "host" not in headers:  # HTTP/1.0, and Django's test client
        headers["host"] = request.get_host()
    return headers


def peer_of(request: HttpRequest) -> str:
    """The address of the connection: of the client, or of the proxy before us; "" on a socket file."""
    return str(request.META.get("REMOTE_ADDR", ""))


def address_of(request: HttpRequest) -> str:
    """The client's address, behind trusted proxies too."""
    return client_address(peer_of(request), request.headers.get("x-forwarded-for"))


def is_local_operator(request: HttpRequest) -> bool:
    """Whether a request without credentials is to be taken as the local operator's. Never in production."""
    return options().DEBUG and is_from_this_machine(peer_of(request), headers_of(request), request.scheme or "http")
