"""Every option of the product with its default, so that an app of ours works inside any Django project.

The project's own `settings.py` reads the same names from the environment; a host project may set any of them
in its settings, or none.
"""

from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed

DEFAULTS: Final[dict[str, Any]] = {
    # The way in
    "BODY_LIMIT": 256 * 1024,  # bytes, also after decompression
    "BODY_SECONDS": 10.0,
    "TRUSTED_PROXIES": [],  # networks whose X-Forwarded-* are believed
    "DEVICE_TIME_ZONE": "UTC",
    "DEVICE_EPOCH": "2020-01-01T00:00:00Z",
    "DEVICE_DATA_KEY": [],  # Fernet keys, newest first; the others still decrypt
    "CLAIM_REPEAT_SECONDS": 600,
    # The write path
    "WRITE_QUEUE_BYTES": 64 * 1024 * 1024,
    "WRITE_QUEUE_SECONDS": 4.0,  # older rows are refused before their transaction begins
    "WRITE_REPLY_SECONDS": 4.5,  # the firmware hangs up after 5
    # Limits: number, seconds
    "LIMITS_STORAGE": "memory://",
    "LIMIT_FAILED_CLAIMS": "20/60",
    "LIMIT_UNKNOWN_KEYS": "1000/10",
    "LIMIT_DEVICE_WRITES": "2000/10",
    "LIMIT_SIGN_IN_PAIR": "10/300",
    "LIMIT_SIGN_IN_ADDRESS": "100/300",
    "LIMIT_REGISTRATIONS": "10/3600",
    "LIMIT_PERSON_CALLS": "500/10",
    # Ozone machines
    "HANDSHAKE_POLICY": "guarded",  # or open: whoever knows a MAC gets its token
    "ENROLMENT_HOURS": 24,  # how long a window for a new token stays open
    "SELF_REGISTERED_DEVICES": 10_000,  # never assigned; past it the one least recently seen makes room
    "LIMIT_HANDSHAKES": "200/10",
    "LEGACY_INGEST": "",  # on, assigned or off; empty: on in development, assigned in production
    "LIMIT_LEGACY": "200/10",
    "COMMAND_TYPES": [],  # beyond the firmware's own
    "COMMAND_RESULT_SECONDS": 120,  # without a result a sent command is delivered again, or has timed out
    "STATUS_ONLINE_SECONDS": 960,
    "STATUS_IDLE_SECONDS": 3600,
    "STATS_TIME_ZONE": "UTC",  # whose hours and days the statistics are kept in
    # Charging stations
    "STATIONS_ENABLED": "",  # 1 or 0; empty: on when there is a signature secret
    "IOT_SYSTEM_SIGNATURE_SECRET": "",
    "IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS": "",  # accepted too, while the partner's system changes over
    "IOT_SYSTEM_ALLOWED_IPS": [],  # addresses, networks, host names; empty: any
    "IOT_SYSTEM_SIGNATURE_TIMEOUT": 300,  # seconds, either way
    "STATION_LOG_DAYS": 90,
    # People
    "CORS_ALLOWED_ORIGINS": [],
    "REGISTRATION": "open",
    "ACCESS_TOKEN_MINUTES": 60,
    "REFRESH_TOKEN_HOURS": 24,
    "ALLOW_PLAIN_HTTP": False,
    "METRICS_TOKEN": "",
}


@cache
def option(name: str) -> Any:
    """The value of an option: the Django setting of that name, else the default above.

    Remembered: a request asks a dozen times, and Django's lazy settings take a microsecond each.
    """
    return getattr(settings, name, DEFAULTS[name]) if name in DEFAULTS else getattr(settings, name)


setting_changed.connect(lambda **_: option.cache_clear(), weak=False)
