"""Whose session goes on being one."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from ozone.accounts.callers import STATION_CONNECTOR


class SessionBackend(ModelBackend):
    """As Django's, but a session ends at once for an account that comes into the group `station-connector`."""

    def get_user(self, user_id: Any) -> User | None:
        accounts = get_user_model()._default_manager.exclude(groups__name=STATION_CONNECTOR)
        user = accounts.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
