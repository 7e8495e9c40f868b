"""All settings, from the environment or from `.env` beside manage.py (the environment wins).

Every option is documented in docs/configuration.md; `tests/test_docs.py` fails when one is not. Options of the
product itself, with their defaults, are in ozone/wire/conf.py: an app of ours works without this file.
"""

import secrets
import sys
from dataclasses import Field
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers

from ozone.wire.conf import documented_options
from ozontelemetry import __version__
from ozontelemetry.environment import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_env(BASE_DIR / ".env")


def product_option(option: Field[Any]) -> Any:
    """An option of ozone/wire/conf.py, read from the environment as the type of its default; a tuple as a list."""
    if isinstance(option.default, tuple):
        return env.list(option.name, default=list(option.default))
    reader: dict[type, Any] = {bool: env.bool, int: env.int, float: env.float, str: env.str}
    return reader[type(option.default)](option.name, default=option.default)


# `runserver` is Django's development server: what the seeds print works without any setting. `make run` passes
# --development.
DEBUG = env.bool("DJANGO_DEBUG", default=sys.argv[1:2] == ["runserver"] or "--development" in sys.argv)

SECRET_KEY_IS_SET = bool(env.str("DJANGO_SECRET_KEY", default=""))
# Development has a fixed key, so that sessions survive a restart. Without one in production the server refuses to
# start (check ozone.E001); management commands get one that is gone when they end.
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="") or (
    "development-only-and-good-for-nothing-else" if DEBUG else secrets.token_urlsafe(48)
)

ALLOWED_HOSTS: list[str] = env.list("DJANGO_ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "pages.apps.AdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "ozone.accounts",
    "device_gateway",
    "telemetry",
    "stations",
    "ledger",
    "alerts",
    "pages",
    "moving",
    "simulators",
    "ozontelemetry",
]

MIDDLEWARE = [
    "ozontelemetry.middleware.ApiErrors",
    "ozontelemetry.middleware.ProxyFacts",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ozontelemetry.middleware.PlainHttp",
    "ozontelemetry.middleware.ContentSecurityPolicy",
    "corsheaders.middleware.CorsMiddleware",
    "ozontelemetry.middleware.SameDatabase",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ozontelemetry.middleware.AdminClock",
    "ozontelemetry.middleware.PageChanges",
]
ROOT_URLCONF = "ozontelemetry.urls"
APPEND_SLASH = False  # every path answers with and without its slash, never through a redirect

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", ["pages.kit.templates.Loader"])],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
_database: dict[str, Any] = DATABASES["default"]
# Connections live as long as their thread; one that the database has closed is replaced before it is used.
_database["CONN_MAX_AGE"] = None
_database["CONN_HEALTH_CHECKS"] = True
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["OPTIONS"] = {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;"
            # Measured (docs/decisions/0004): fewer checkpoints write a hot index page once instead of many times.
            "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;"
        ),
    } | _database.get("OPTIONS", {})
    # A file, as in production: in memory there is no WAL, and the writer's thread would not see it.
    _database["TEST"] = {"NAME": str(_database["NAME"]) + ".test"}
else:
    # A machine that is gone is noticed in some three seconds, whether we wait for it or send to it. A server that is
    # frozen: ozone/intake/silence.py. Several hosts: ozone/intake/hosts/.
    if "," in _database["HOST"]:
        _database["ENGINE"] = "ozone.intake.hosts"
    _database["OPTIONS"] = {
        "connect_timeout": 2,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": 3000,
    } | _database.get("OPTIONS", {})

# --- People ---------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["ozone.accounts.backends.SessionBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if not DEBUG:  # the seeds' own examples (`password`, `password123`) are among the common ones
    AUTH_PASSWORD_VALIDATORS.append({"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"})

LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

for _option in documented_options():
    globals()[_option.name] = product_option(_option)

if DEBUG:
    CORS_ALLOWED_ORIGINS: list[str] = env.list(
        "CORS_ALLOWED_ORIGINS",
        default=["http://localhost:3000", "http://localhost:5173", "http://127.0.0.1:3000", "http://127.0.0.1:5173"],
    )
    DEVICE_DATA_KEY: list[str] = env.list("DEVICE_DATA_KEY", default=["ZGV2ZWxvcG1lbnQtb25seS1nb29kLWZvci1ub3RoIDE="])
CORS_ALLOW_CREDENTIALS = True
CORS_URLS_REGEX = r"^/(api|gateway)/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "if-none-match"]
CORS_EXPOSE_HEADERS = ["ETag", "Link", "Retry-After"]  # what a page of another origin may read: the API speaks by them

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Ozone Telemetry",
    "DESCRIPTION": "Devices join, send readings and billing events, take commands. A 2xx for a write means committed.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": ["ozontelemetry.openapi.schema.complete_schema"],
}

# --- The web --------------------------------------------------------------------------------------------------

SESSION_COOKIE_SAMESITE = env.str("SESSION_COOKIE_SAMESITE", default="Lax")
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
_over_tls = not DEBUG and not env.bool("ALLOW_PLAIN_HTTP", default=False)
SESSION_COOKIE_SECURE = _over_tls
CSRF_COOKIE_SECURE = _over_tls
SECURE_HSTS_SECONDS = 31_536_000 if _over_tls else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
# Served from the installed packages: no collectstatic step between a clone and a page.
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Of the page that shows a failure in development.
DEFAULT_EXCEPTION_REPORTER_FILTER = "ozontelemetry.reports.NoVariables"

# --- Logs -----------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="text")
# `manage.py test` leaves no lines among those of a server.
LOG_FILE = env.str("LOG_FILE", default="" if sys.argv[1:2] == ["test"] else str(BASE_DIR / "logs" / "django.log"))
_handlers: dict[str, dict[str, str]] = {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}}
if LOG_FILE:
    _handlers["file"] = {
        "()": "ozontelemetry.logs.SharedFileHandler",
        "filename": LOG_FILE,
        "formatter": LOG_FORMAT,
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
        "json": {"()": "ozontelemetry.logs.JsonFormatter"},
    },
    "handlers": _handlers,
    "loggers": {
        "django": {},  # without the handler that Django gives it in development: each line once
        "httpx": {"level": "WARNING"},  # the simulators' every call
    },
    "root": {"handlers": list(_handlers), "level": LOG_LEVEL},
}
