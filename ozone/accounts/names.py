"""User names: nobody has to remember which of its letters are capitals, and no two accounts differ in them alone."""

import re

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.functions import Length


def accounts_called(name: str) -> "QuerySet[User]":
    """Those of that user name in any case of its letters. Databases compare so from A to Z only (SQLite), or as their
    locale has it (PostgreSQL): here every letter stands in both cases, and they compare nothing. Names of another
    length are none of them, which a database sees at once: of 100,000 the pattern would take two tenths of a second."""
    accounts = get_user_model()._default_manager.alias(letters=Length("username")).filter(letters=len(name))
    return accounts.filter(username__regex=rf"\A{''.join(map(_in_any_case, name))}\Z")


def _in_any_case(letter: str) -> str:
    cases = {letter, letter.lower(), letter.upper(), letter.upper().lower()}
    every = sorted(one for one in cases if len(one) == 1)
    return f"[{''.join(every)}]" if len(every) > 1 else re.escape(letter)


def spelled(name: str) -> str:
    """The user name of the account that somebody means who signs in as `name`.

    Accounts that differ in case alone are older than that rule, or were made in a shell: each is signed in to by its
    very spelling, and by no other ("" is returned). Of any other name nothing is known: it is returned as it is.
    """
    found = list(accounts_called(name).values_list("username", "is_active"))
    if not found or any(username == name for username, _ in found):
        return name
    active = [username for username, is_active in found if is_active]
    return active[0] if len(active) == 1 else ""
