"""Settings as the environment and `.env` have them, character for character."""

import logging
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


class Environment(environ.Env):
    """django-environ without its references.

    There a value that begins with `$` names another variable: a secret that happens to begin so would be replaced, or
    stop the server.
    """

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """The variable's value as `cast` reads it, else the default. Raises ImproperlyConfigured without either."""
        text = self.ENVIRON.get(var)
        if text is not None:
            return self.parse_value(text, cast)
        if default is self.NOTSET:
            raise ImproperlyConfigured(f"Set the environment variable {var}.")
        return default


def _without_the_line(record: logging.LogRecord) -> bool:
    """A line of `.env` that cannot be read may be a secret with a blank too many: it is not repeated."""
    if record.msg == "Invalid line: %s":
        record.msg, record.args = "A line of .env is not NAME=value (no blanks around =) and is ignored.", ()
    return True


logging.getLogger("environ.environ").addFilter(_without_the_line)
env = Environment()
