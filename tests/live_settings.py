"""The product's own settings, for the servers that tests start: all but what a password's hash costs.

Each of them makes an operator, who then signs in: at a million rounds more than all else that such a test does.
"""

from ozontelemetry.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
