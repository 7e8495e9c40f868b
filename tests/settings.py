"""The product's own settings, as production has them, for the test suite."""

import os
import tempfile

os.environ.setdefault("DJANGO_SECRET_KEY", "for-tests-only-and-good-for-nothing-else-at-all")
os.environ.setdefault("DJANGO_ALLOWED_HOSTS", "testserver,localhost,127.0.0.1,meters.example.com")
os.environ.setdefault("ALLOW_PLAIN_HTTP", "1")
os.environ.setdefault("LOG_FILE", "")
os.environ.setdefault("DEVICE_DATA_KEY", "Zm9yLXRlc3RzLW9ubHktYW5kLWdvb2QtZm9yLW5vdGg=")
# A folder a run, so that two runs beside each other do not meet. conftest.py makes it, and removes it with all that
# SQLite leaves beside its file.
os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.gettempdir()}/ozone-tests-{os.getpid()}/db.sqlite3")

from ozontelemetry.settings import *  # noqa: F403

# A test that signs in a dozen times is about signing in, not about the cost of a hash.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Each client of a test makes its own chain of middleware, which would look through every static file.
WHITENOISE_AUTOREFRESH = True

# Beside other runs a test may stand still for seconds: a row that has waited for as long is not late.
WRITE_QUEUE_SECONDS, WRITE_REPLY_SECONDS = 30.0, 31.0
