"""Making an account for a person who asks for one."""

from collections.abc import Mapping, Sequence
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.views.decorators.debug import sensitive_variables

from ozone.accounts.names import accounts_called
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Forbidden, Invalid
from ozone.wire.limits import Limit

_REGISTRATIONS: Final = Limit(
    "registrations", lambda: options().LIMIT_REGISTRATIONS, "Too many accounts were made from this address."
)

FieldErrors = Mapping[str, Sequence[str]]


def require_open() -> None:
    """Raises Forbidden where people may not register themselves."""
    if options().REGISTRATION == "closed":
        raise Forbidden("Registration is closed. Ask an operator for an account.", code="registration_closed")


@sensitive_variables("password")
def register(
    *, address: str, username: str, password: str, email: str = "", first_name: str = "", last_name: str = ""
) -> User:
    """A new active account without any rights. `address` is the client's, for the limit (accounts made, an hour).

    Raises Forbidden when registration is closed, Invalid with the fields at fault, TooManyRequests.
    """
    require_open()
    user = get_user_model()(username=username, email=email, first_name=first_name, last_name=last_name)
    _refuse(_field_errors(user, password) or _taken(user))
    key = limit_key(address)
    _REGISTRATIONS.hit(key)
    try:
        user.set_password(password)  # takes long: before the transaction, which holds SQLite's one lock
        _insert(user)
    except BaseException:
        _REGISTRATIONS.refund(key)
        raise
    return user


def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                # No constraint knows that addresses and names are the same in any case: one registration at a time.
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('accounts.registration'))")
            _refuse(_taken(user))
            user.save(force_insert=True)
    except IntegrityError:
        _refuse(_taken(user) or {"username": [_NAME_TAKEN]})


_NAME_TAKEN: Final = "This user name is taken."


def _field_errors(user: User, password: str) -> FieldErrors:
    """What is wrong with the fields themselves; normalises the name and the address on the way."""
    errors: dict[str, list[str]] = {}
    user.clean()
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        errors.update(error.message_dict)
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors["password"] = error.messages
    return errors


def _taken(user: User) -> FieldErrors:
    accounts = get_user_model()._default_manager
    errors = {}
    if accounts_called(user.username).exists():
        errors["username"] = [_NAME_TAKEN]
    if user.email and accounts.filter(email__iexact=user.email).exists():
        errors["email"] = ["This e-mail address is in use."]
    return errors


def _refuse(errors: FieldErrors) -> None:
    if errors:
        field, sentences = next(iter(errors.items()))
        raise Invalid(f"{field}: {sentences[0]}", errors=errors)
