"""The one place where a password is checked: the API's doors, the pages and the admin site all come through here,
so failed sign-ins have one count (contract, section 0: Limits).
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ozone.accounts.callers import address_of
from ozone.accounts.names import spelled
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Unauthorized
from ozone.wire.limits import Limit

LONGEST_NAME: Final = 254
"""Characters of a user name or an e-mail address; what is longer belongs to nobody."""
LONGEST_PASSWORD: Final = 1024
_SENTENCE: Final = "Too many failed sign-ins."
_PAIR: Final = Limit("sign_in_pair", lambda: options().LIMIT_SIGN_IN_PAIR, _SENTENCE)
_ADDRESS: Final = Limit("sign_in_address", lambda: options().LIMIT_SIGN_IN_ADDRESS, _SENTENCE)


class InvalidCredentials(Unauthorized):
    """401, the same for every reason: no such account, wrong password, not active, not staff where staff is asked."""

    code = "invalid_credentials"
    detail = "Invalid credentials"


@sensitive_variables("password")
def check_password(
    request: HttpRequest, *, password: str, username: str = "", email: str = "", staff_only: bool = False
) -> User:
    """The active user of that user name, or else of that e-mail address, whose password this is.

    Starts no session. Both are taken in any case of their letters; when several accounts have it so, the name has to be
    spelled as the account's, and by the e-mail address, which is looked up among active staff only, nobody gets in.
    Raises InvalidCredentials, and TooManyRequests before any password is hashed.
    """
    if max(len(username), len(email)) > LONGEST_NAME or len(password) > LONGEST_PASSWORD:
        raise InvalidCredentials  # before anything is normalised: that takes a time of the length's square
    username = get_user_model().normalize_username(username) if username else _username_of(email)
    address = limit_key(address_of(request))
    account = _counted_as(username or email)
    with _counting_failures(_ADDRESS, address), _counting_failures(_PAIR, account, address):
        username = spelled(username) if username else ""
        # Without a name this hashes the password all the same: an unknown address takes as long as a known one.
        user = authenticate(request, username=username, password=password)
        if not isinstance(user, get_user_model()) or not username or (staff_only and not user.is_staff):
            raise InvalidCredentials
    _PAIR.clear(account, address)
    return user


def _username_of(email: str) -> str:
    """The user name of the one active member of staff with that address; "" for none or several."""
    accounts = get_user_model()._default_manager.filter(email__iexact=email, is_active=True, is_staff=True)
    users = list(accounts[:2]) if email else []
    return users[0].get_username() if len(users) == 1 else ""


def _counted_as(name: str) -> str:
    """How an account's name stands in the limit's key: in any case of its letters, of any length, and not in plain."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return sha256(folded.encode()).hexdigest()


@contextmanager
def _counting_failures(limit: Limit, *key: str) -> Iterator[None]:
    """Counts the attempt inside, and takes it back unless it ends in InvalidCredentials. Raises TooManyRequests."""
    limit.hit(*key)
    try:
        yield
    except InvalidCredentials:
        raise
    except BaseException:
        limit.refund(*key)
        raise
    limit.refund(*key)
