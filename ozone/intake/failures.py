"""What a failure of the database means: whether one more try is worth it, and what the sender is told."""

from typing import Final

from django.db import DatabaseError, DataError, IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.wire.errors import ApiError, Invalid, ServerError, Unavailable

_OWN_SQLSTATES: Final = ("23502", "23503")
_OWN_ERRORS: Final = ("SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_FOREIGNKEY")
"""NOT NULL and foreign keys: PostgreSQL's codes, and SQLite's."""


def is_undone(error: Exception) -> bool:
    """A deadlock or a serialization failure, at whatever statement it is told: nothing of the transaction is stored."""
    return getattr(error.__cause__, "sqlstate", None) in ("40P01", "40001")


def is_lost(connection: BaseDatabaseWrapper) -> bool:
    """Whether the connection leads nowhere any more."""
    return connection.vendor != "sqlite" and not connection.is_usable()


def poison(error: Exception) -> ApiError:
    """What the sender of one submission is told that the database refuses when it is alone."""
    if isinstance(error, DataError) or (isinstance(error, IntegrityError) and not _is_own_fault(error)):
        return Invalid("The database cannot store this. It has been logged.", code="unstorable")
    # A missing table or a cut connection is not the sender's fault: a 4xx would make it throw the row away.
    return Unavailable() if isinstance(error, DatabaseError) else ServerError()


def _is_own_fault(error: IntegrityError) -> bool:
    """Whether a column was left empty or points nowhere: no value that a sender gives brings that about, but a schema
    that is not the code's, or a row that was deleted meanwhile. What is taken, or out of a CHECK's range, is told.
    """
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) in _OWN_SQLSTATES or getattr(cause, "sqlite_errorname", "") in _OWN_ERRORS


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
