"""Errors that no view made (TLS, Host, a body too large or too slow), in the shape of the API they belong to, or as a
page."""

import re
from typing import Final

from django.template.loader import render_to_string

from ozone.wire.errors import ApiError
from ozone.wire.http import Reply
from pages.kit.frame import error_words
from stations.errors import error_body, has_own_shape

STRICT: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of pages."""


_SLASHES: Final = re.compile("/{2,}")


def is_api(path: str) -> bool:
    """Whether no HTML error page may leave this path."""
    return f"{path}/".startswith(("/api/", "/gateway/"))


def one_slash(path: str) -> str:
    """The path with one slash in the place of several."""
    return _SLASHES.sub("/", path)


def error_reply(error: ApiError, path: str, accept: str = "") -> Reply:
    """The station API has a shape of its own (contract, section 4); who sent a form in a browser gets a page.

    `accept`: the request's header.
    """
    if has_own_shape(path):
        return Reply.json(error.status, error_body(error), error.headers)
    if "text/html" in accept and not is_api(path):
        page = render_to_string("pages/kit/error.html", error_words(error)).encode()
        headers = {**error.headers, "Content-Security-Policy": STRICT, "X-Content-Type-Options": "nosniff"}
        return Reply(error.status, page, headers, "text/html; charset=utf-8")
    return Reply.of_error(error)
