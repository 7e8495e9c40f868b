"""Errors that no view made (TLS, Host, a body too large or too slow), in the shape of the API they belong to."""

from stations.errors import error_body, has_own_shape
from wire.errors import ApiError
from wire.http import Reply


def error_reply(error: ApiError, path: str) -> Reply:
    """The station API has a shape of its own (contract, section 4)."""
    if has_own_shape(path):
        return Reply.json(error.status, error_body(error), error.headers)
    return Reply.of_error(error)
