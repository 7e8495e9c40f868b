"""Every exception a JSON view may raise, as an error of the contract's section 0."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, SuspiciousOperation, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.settings import api_settings

from ozone.wire.errors import (
    ApiError,
    BadHost,
    Forbidden,
    Invalid,
    MalformedJson,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
    WrongContentType,
)
from ozone.wire.tracebacks import clear_frames

logger = logging.getLogger("ozone.webapi")


def as_api_error(error: Exception, allowed: Sequence[str]) -> ApiError | None:
    """The reply's error; None for a fault of ours (500). `allowed` are the methods of the view."""
    match error:
        case ApiError():
            return error
        case exceptions.ValidationError():
            return _invalid(dict(_flatten("", error.detail)))
        case ValidationError():
            return _invalid(error.message_dict if hasattr(error, "error_dict") else {"": error.messages})
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthorized("Sign in, or send an access token.", code="signed_out")
        case exceptions.PermissionDenied() | PermissionDenied():
            return Forbidden()
        case exceptions.NotFound() | Http404():
            return NotFound()
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(allowed)
        case exceptions.UnsupportedMediaType():
            return WrongContentType()
        case exceptions.ParseError():
            return MalformedJson(str(error.detail))
        case OperationalError() | InterfaceError():
            logger.warning("the database failed a request: %s", error)
            clear_frames(error)
            return Unavailable("The database does not answer now. Try again.")
        case DisallowedHost():
            return BadHost()
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return Invalid()
    return None


def _invalid(errors: dict[str, list[str]]) -> Invalid:
    """The first sentence is the detail; one that belongs to no field stands there alone."""
    field, sentences = next(iter(errors.items()))
    general = errors.pop("", None)
    return Invalid(general[0] if general else f"{field}: {sentences[0]}", errors=errors)


def _flatten(path: str, detail: Any) -> Iterator[tuple[str, list[str]]]:
    """A serializer's errors as `slots[2].status` and sentences; those of a whole object under the object's own path."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            if isinstance(key, int):
                yield from _flatten(f"{path}[{key}]", value)
            elif key == api_settings.NON_FIELD_ERRORS_KEY:
                yield from _flatten(path, value)
            else:
                yield from _flatten(f"{path}.{key}" if path else key, value)
    elif isinstance(detail, list) and any(isinstance(item, dict) for item in detail):
        for index, item in enumerate(detail):
            yield from _flatten(f"{path}[{index}]", item)
    elif detail:
        yield path, [str(item) for item in (detail if isinstance(detail, list) else [detail])]
