"""The password that everybody knows: `make run` gives it to the first operator of a development on loopback."""

import time
from collections.abc import Iterator
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import verify_password
from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, connection

KNOWN: Final = "password"
SECONDS: Final = 10.0
"""How long superusers' passwords are looked at: a hash takes some tenths of a second."""


def with_known_password() -> Iterator[CheckMessage]:
    """An error for each superuser whose password is KNOWN, active or not; none where there is no database yet."""
    was_open = connection.connection is not None
    accounts = get_user_model()._default_manager.filter(is_superuser=True).order_by("pk")
    try:
        found = list(accounts.values_list("username", "password"))
    except DatabaseError:
        return
    finally:
        if not was_open:
            connection.close()
    until = time.monotonic() + SECONDS
    for seen, (name, encoded) in enumerate(found):
        if time.monotonic() > until:
            left = len(found) - seen
            yield Warning(
                f"There are so many superusers that the passwords of {left} were not looked at.",
                hint="Fewer accounts need to be superusers.",
                id="ozone.W020",
            )
            return
        if verify_password(KNOWN, encoded)[0]:
            yield Error(
                f"The superuser {name} has the password that everybody knows. Change it: "
                f"python manage.py changepassword {name}.",
                id="ozone.E020",
            )
