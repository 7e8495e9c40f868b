"""The line that says when the disk is full: for staff, in time a warning."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from device_gateway.models import RoomSample
from pages.kit.live import built
from pages.tests.conftest import SignIn
from pages.tests.onlooker import text

pytestmark = pytest.mark.django_db

NOW = timezone.now()
GB = 2**30


def said(signed_in: SignIn, user: User) -> str:
    built.clear()  # the size is no news for which a page is made anew within its minute
    return text(signed_in(user).get("/").content.decode())


def note(ago: timedelta, used: int, free: int | None) -> None:
    RoomSample.objects.create(at=NOW - ago, used=used, free=free, rows=0, told=0)


def test_it_works(signed_in: SignIn, olga: User, vera: User) -> None:
    note(timedelta(days=2), 8 * GB, None)
    note(timedelta(), 10 * GB, 41 * GB)
    shown = said(signed_in, olga).replace("\xa0", " ")
    assert "The database holds 10.0 GB, and grows by 1.0 GB a day: it is full in 41 days." in shown
    assert "Give it more room" not in shown
    assert "The database holds" not in said(signed_in, vera)


def test_nothing_is_noted_yet(signed_in: SignIn, olga: User) -> None:
    assert "The database holds" not in said(signed_in, olga)


def test_nobody_knows_what_is_free(signed_in: SignIn, olga: User) -> None:
    note(timedelta(), 8 * GB, None)
    assert "The database holds 8.0 GB. " in said(signed_in, olga).replace("\xa0", " ")


def test_soon(signed_in: SignIn, olga: User) -> None:
    note(timedelta(days=2), 8 * GB, None)
    note(timedelta(), 10 * GB, 12 * GB)
    shown = said(signed_in, olga).replace("\xa0", " ")
    assert "it is full in 12 days. Give it more room, or keep readings for fewer days (RETENTION_READINGS)." in shown


def test_it_does_not_grow(signed_in: SignIn, olga: User) -> None:
    note(timedelta(days=2), 10 * GB, None)
    note(timedelta(), 10 * GB, 12 * GB)
    assert "The database holds 10.0 GB, and does not grow." in said(signed_in, olga).replace("\xa0", " ")
