"""One class per failure: its status, its stable code, a sentence a person can act on.

Raised anywhere below a view or a device route, rendered in one place per family of replies. The shape is
`{"detail", "code"}`, with `"errors": {"field.path": ["…"]}` where fields are at fault (contract, section 0).
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ozone.wire.words import duration


class ApiError(Exception):
    """A refusal with a status of its own; `headers` go out with the reply."""

    status: ClassVar[int] = 400
    code: str = "invalid"
    detail: str = "The request is not valid."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if detail is not None:
            self.detail = detail
        if code is not None:
            self.code = code
        self.errors = errors
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.detail)

    def body(self) -> dict[str, Any]:
        """The reply's JSON object."""
        body: dict[str, Any] = {"detail": self.detail, "code": self.code}
        if self.errors:
            body["errors"] = {field: list(sentences) for field, sentences in self.errors.items()}
        return body


class Invalid(ApiError):
    """400: a field is missing, of the wrong type, or out of range."""

    @classmethod
    def named(cls, name: str, sentence: str) -> "Invalid":
        """The refusal of one field or parameter; `sentence` says what it may be."""
        return cls(f"{name} is not valid: {sentence}", errors={name: [sentence]})


class MalformedJson(ApiError):
    code = "malformed_json"
    detail = "The body is not valid JSON."


class BadEncoding(ApiError):
    code = "bad_encoding"
    detail = "The body could not be decompressed."


class DuplicateHeader(ApiError):
    code = "duplicate_header"
    detail = "A header that may stand once stands twice, with two values."


class BadHost(ApiError):
    code = "bad_host"
    detail = "The Host header names no host of this server. Add it to DJANGO_ALLOWED_HOSTS."


class Unauthorized(ApiError):
    """401: a bad credential and nothing else; a meter erases its key when it reads this."""

    status = 401
    code = "bad_credential"
    detail = "The credential is missing or not valid."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headers.setdefault("WWW-Authenticate", "Bearer")


class Forbidden(ApiError):
    status = 403
    code = "forbidden"
    detail = "You may not do this."


class NotFound(ApiError):
    status = 404
    code = "not_found"
    detail = "There is nothing at this address."


class MethodNotAllowed(ApiError):
    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This address takes {', '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})


class BodyTimeout(ApiError):
    status = 408
    code = "body_timeout"
    detail = "The body did not arrive in time."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class Conflict(ApiError):
    status = 409
    code = "conflict"
    detail = "This clashes with something that is there already."


class PreconditionFailed(ApiError):
    """412: `If-Match` names a state that is past."""

    status = 412
    code = "changed_meanwhile"
    detail = "Somebody has changed this meanwhile. Read it again, and decide anew."


class BodyTooLarge(ApiError):
    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit // 1024} KiB.")


class WrongContentType(ApiError):
    status = 415
    code = "wrong_content_type"
    detail = "Send the body as application/json (UTF-8)."


class HeadersTooLarge(ApiError):
    status = 431
    code = "headers_too_large"
    detail = "The address and the headers of a request may have 16 KiB in all."


class TooManyRequests(ApiError):
    status = 429
    code = "too_many_requests"
    detail = "Too many requests."

    def __init__(self, retry_after: float, detail: str | None = None) -> None:
        """`retry_after`: seconds, which the sentence tells as well, and never fewer than it takes."""
        seconds = max(1, math.ceil(round(retry_after, 3)))
        super().__init__(
            f"{detail or self.detail} Try again in {duration(seconds)}.", headers={"Retry-After": str(seconds)}
        )


class Unavailable(ApiError):
    """503: not stored, and not to be taken for stored. The wait is jittered so that a fleet does not return as one."""

    status = 503
    code = "unavailable"
    detail = "The write could not be committed in time. Send it again."

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(random.randint(1, 5))})


class ServerError(ApiError):
    status = 500
    code = "internal_error"
    detail = "The server failed on this request. It has been logged."
