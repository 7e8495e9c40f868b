"""What a request's head may be. Judged before anything of it is parsed, normalised, compared or remembered."""

from collections.abc import Iterable
from typing import Any, Final

from ozone.wire.errors import DuplicateHeader, HeadersTooLarge, Invalid, WrongContentType

HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's path, query and headers in all."""
MOST_PARAMETERS: Final = 1000
"""As many fields as Django reads of a form; what it says of more takes it the longer, the more there are."""
LONGEST_CONTENT_TYPE: Final = 255
_ONCE: Final = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-type",
        "host",
        "idempotency-key",
        "if-match",
        "origin",
        "sec-fetch-site",
        "x-signature",
        "x-timestamp",
    }
)
"""What may stand once; the other headers are lists, or nobody here reads them."""
_JOINED: Final = (("HTTP_AUTHORIZATION", "authorization"), ("CONTENT_TYPE", "content-type"))
"""Those of them that hold no comma by themselves: where another server has joined two by one, it is seen."""


def fold_headers(raw: Iterable[tuple[bytes, bytes]], target: int = 0) -> dict[str, str]:
    """ASGI's headers by lower-case name; several of one name joined as HTTP has it.

    `target` is the length of method, path and query. A header that may stand once and stands twice with one value
    counts once. Raises HeadersTooLarge, DuplicateHeader, WrongContentType.
    """
    headers: dict[str, str] = {}
    size = target
    for name_bytes, value_bytes in raw:
        size += len(name_bytes) + len(value_bytes)
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        if name in headers:
            if size > HEAD_LIMIT:
                break
            value = _second(name, headers[name], value)
        headers[name] = value
    if size > HEAD_LIMIT:
        raise HeadersTooLarge
    _check_content_type(headers.get("content-type", ""))
    return headers


def tidy(environ: dict[str, Any]) -> None:
    """The same of a WSGI environment, whose server has folded the headers already; and its cookies become plain.

    A pair of cookies that holds quotes or backslashes is dropped: none of ours does, and Python 3.11 reads it in a
    time that grows with the square of its length.
    """
    size = len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", ""))
    size += len(environ.get("CONTENT_TYPE") or "") + len(environ.get("REQUEST_METHOD", ""))
    size += sum(len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_"))
    if size > HEAD_LIMIT:
        raise HeadersTooLarge
    if environ.get("QUERY_STRING", "").count("&") >= MOST_PARAMETERS:
        raise Invalid(f"An address may have {MOST_PARAMETERS:,} parameters.", code="too_many_parameters")
    for key, name in _JOINED:
        first, comma, rest = (environ.get(key) or "").partition(",")
        if comma:
            for value in rest.split(","):
                _second(name, first.strip(), value.strip())
            environ[key] = first.strip()
    _check_content_type(environ.get("CONTENT_TYPE") or "")
    cookies = environ.get("HTTP_COOKIE", "")
    if '"' in cookies or "\\" in cookies:
        plain = (pair for pair in cookies.split(";") if '"' not in pair and "\\" not in pair)
        environ["HTTP_COOKIE"] = ";".join(plain)


def _second(name: str, first: str, value: str) -> str:
    if name in _ONCE:
        if value != first:
            raise DuplicateHeader(f"The header {name} stands twice, with two values.")
        return first
    return f"{first}; {value}" if name == "cookie" else f"{first},{value}"


def _check_content_type(value: str) -> None:
    if len(value) > LONGEST_CONTENT_TYPE:
        raise WrongContentType("The Content-Type is too long.")
