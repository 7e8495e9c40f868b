"""Who has a page open is told by one short query, and is out with the next look once session or account changed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import Device
from pages.tests.conftest import SignIn
from pages.tests.onlooker import Onlooker

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


@pytest.fixture
def window(signed_in: SignIn, vera: User, unit: Device) -> Onlooker:
    """Vera's list of devices, open for a while."""
    window = Onlooker(signed_in(vera), "/devices/")
    assert [window.look().status_code for _ in range(2)] == [204, 204]
    return window


def test_a_look_at_what_has_not_changed(window: Onlooker, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2):  # who looks, and the version
        assert window.look().status_code == 204


def sign_out(vera: User) -> None:
    Session.objects.all().delete()


def expire(vera: User) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def deactivate(vera: User) -> None:
    User.objects.filter(pk=vera.pk).update(is_active=False)


def change_password(vera: User) -> None:
    vera.set_password("another good one")
    vera.save()


def delete(vera: User) -> None:
    Device.objects.update(owner=None)
    vera.delete()


@pytest.mark.parametrize("change", [sign_out, expire, deactivate, change_password, delete])
def test_nobody_looks_on_after(window: Onlooker, vera: User, change: Callable[[User], None]) -> None:
    change(vera)
    assert [window.look().status_code for _ in range(2)] == [401, 401]


def test_who_becomes_staff_sees_all_and_afterwards_only_their_own(window: Onlooker, vera: User, pump: Device) -> None:
    assert str(pump.device_id) not in window.look().content.decode()
    User.objects.filter(pk=vera.pk).update(is_staff=True)
    assert str(pump.device_id) in window.look().content.decode()
    User.objects.filter(pk=vera.pk).update(is_staff=False)
    assert window.look().status_code == 204  # what the page showed at first is theirs
