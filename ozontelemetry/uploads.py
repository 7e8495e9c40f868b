"""Addresses that take more than BODY_LIMIT, each from whom it is meant for: what a stranger sends there is not read."""

from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY

from ozone.wire.conf import options

UPLOAD_LIMIT: Final = 5 * 1024 * 1024
"""Bytes of a CSV of devices, with its form."""


def _with_session(headers: Mapping[str, str]) -> int:
    """In a thread: the limit of who is signed in, and of anybody else."""
    if '"' in (cookies := headers.get("cookie", "")) or "\\" in cookies:
        return options().BODY_LIMIT
    try:
        cookie = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        cookie = None
    engine = import_module(settings.SESSION_ENGINE)
    is_signed_in = cookie is not None and SESSION_KEY in engine.SessionStore(cookie.value)
    return UPLOAD_LIMIT if is_signed_in else options().BODY_LIMIT


_LARGER: Final[dict[str, Callable[[Mapping[str, str]], int]]] = {"/device-upload": _with_session}


def body_limit(path: str) -> Callable[[Mapping[str, str]], int] | None:
    """What tells the limit by the headers; None where it is BODY_LIMIT for everybody."""
    return _LARGER.get(path.rstrip("/"))
