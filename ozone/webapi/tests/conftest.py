"""The cast, and a client that speaks JSON over https."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from ozone.wire import limits

PASSWORD = "a long walk to the well"


class Http(Client):
    """`Http(token=…)` sends an access token; bodies that are not bytes go out as JSON."""

    def __init__(self, token: str | None = None) -> None:
        super().__init__(headers={"Authorization": f"Bearer {token}"} if token else None)
        self.raise_request_exception = False

    def generic(self, *args: Any, **extra: Any) -> Any:
        return super().generic(*args, **extra | {"secure": True})

    def send(self, path: str, body: Any = None, *, method: str = "POST", kind: str = "", **headers: str) -> Any:
        """Header names in the way of keyword arguments: `x_forwarded_for`."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        kind = kind or ("application/json" if body is not None else "")
        return self.generic(
            method, path, body or b"", kind, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings) -> Iterator[None]:
    """Our own URLs, a quick hash, and no failed sign-in left over from another test."""
    settings.ROOT_URLCONF = "ozone.webapi.tests.urls"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    limits._limiter.cache_clear()
    yield
    limits._limiter.cache_clear()


@pytest.fixture
def http() -> Http:
    return Http()


@pytest.fixture
def vera(db: None) -> User:
    """Nobody special."""
    return User.objects.create_user("vera", "vera@example.com", PASSWORD, first_name="Vera", last_name="Lind")


@pytest.fixture
def olga(db: None) -> User:
    """Staff."""
    return User.objects.create_user("olga", "olga@example.com", PASSWORD, is_staff=True)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", "root@example.com", PASSWORD)


@pytest.fixture
def connector(db: None) -> User:
    """The account of a charging-station connector."""
    user = User.objects.create_superuser("kiosk", "kiosk@example.com", PASSWORD)
    user.groups.add(Group.objects.create(name="station-connector"))
    return user


def described(user: User) -> dict[str, Any]:
    """A user as the replies have them."""
    return {
        "id": user.pk,
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
    }
