"""What kinds of channels there are here, and what an address of each may be."""

from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from alerts.carriers import chat
from alerts.carriers.outward import NotAllowed, check_literal
from alerts.channels.models import EMAIL, WEBHOOK
from ozone.wire.conf import options
from ozone.wire.errors import Invalid
from ozone.wire.limits import Limit

LONGEST: Final = 2000
_SCHEMES: Final = ("https", "http")
_LOOKS: Final = Limit("chat_looks", lambda: "10/600", "Ten addresses of chats in ten minutes.")
"""Each starts a program, which takes a second of a processor."""


class Address(NamedTuple):
    """`shown`: without secrets; `secret`: the whole address, where it has any; `host`: what a few are waited for of."""

    shown: str
    host: str
    secret: bytes = b""


def offered() -> list[str]:
    """Those that staff allow, and that work here."""
    return [kind for kind in options().ALERT_CHANNEL_KINDS if _works(kind)]


def _works(kind: str) -> bool:
    if kind == EMAIL:
        return bool(options().EMAIL_HOST)
    return kind == WEBHOOK or chat.is_installed()


def read_address(kind: str, text: str, person: int) -> Address:
    """Raises Invalid naming `kind` or `target`; TooManyRequests where the person has had too many chats looked at,
    Unavailable where another is looked at now."""
    kinds = offered()
    if kind not in kinds:
        raise Invalid.named("kind", f"One of {', '.join(kinds)}." if kinds else "This server has no channels.")
    if kind == EMAIL:
        return _email(text)
    return _webhook(text) if kind == WEBHOOK else _chat(kind, text, person)


def _email(text: str) -> Address:
    try:
        EmailValidator()(text)
    except ValidationError:
        raise Invalid.named("target", "An e-mail address.") from None
    return Address(text, options().EMAIL_HOST)


def _webhook(text: str) -> Address:
    url = _split(text)
    try:
        host = (url.hostname or "").encode("idna").decode()
        is_whole = bool(host) and url.port != 0
    except (UnicodeError, ValueError):
        is_whole = False
    if not is_whole or url.scheme not in _SCHEMES or not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid.named("target", "An address such as https://example.com/hook, in ASCII.")
    if "@" in url.netloc or url.fragment:
        raise Invalid.named("target", "An address without name, password and fragment.")
    try:
        check_literal(host)
    except NotAllowed as error:
        raise Invalid.named("target", str(error)) from None
    return Address(text, host.lower())


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _chat(kind: str, text: str, person: int) -> Address:
    if not text.startswith(f"{kind}://"):
        raise Invalid.named("target", f"An address as apprise has it, that begins with {kind}://.")
    _LOOKS.hit(str(person))
    found = chat.examined(text)
    if not found["ok"]:
        raise Invalid.named("target", found["error"])
    # A few of one kind at once, whatever its host: each is a process.
    return Address(str(found["shown"])[:LONGEST], kind, text.encode())
