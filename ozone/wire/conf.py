"""Every option of the product with its default, so that an app of ours works inside any Django project.

The project's own `settings.py` reads the same names from the environment; a host project may set any of them in its
settings, or none. `python manage.py document_options` writes the tables of docs/configuration.md from here.
"""

from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.signals import setting_changed

# Sections of docs/configuration.md
THE_WAY_IN: Final = "The way in"
THE_WRITE_PATH: Final = "The write path"
KEPT: Final = "What is kept"
LIMITS: Final = "Limits"
OZONE_MACHINES: Final = "Ozone machines"
MONEY: Final = "Money"
ALERTS: Final = "Alerts"
CHARGING_STATIONS: Final = "Charging stations"
PEOPLE: Final = "People"

T = TypeVar("T")


def documented(default: T, section: str, kind: str, meaning: str) -> T:
    """An option with what the table of its section says: its kind or unit, and what it means, in Markdown."""
    metadata = {"section": section, "kind": kind, "meaning": meaning}
    declared: Any = field(default=default, metadata=metadata)
    return declared


@dataclass(frozen=True, repr=False)  # secrets are among them
class Options:
    """The settings that the product asks for, each under its own name. `options()` has them as they are now."""

    # Django's own
    DEBUG: bool = False
    ALLOWED_HOSTS: tuple[str, ...] = ()

    BODY_LIMIT: int = documented(
        256 * 1024, THE_WAY_IN, "bytes", "Largest body of an API request, also after decompression"
    )
    BODY_SECONDS: float = documented(10.0, THE_WAY_IN, "seconds", "Time for a body to arrive; then 408")
    WAITING_BODY_BYTES: int = documented(
        64 * 1024 * 1024,
        THE_WAY_IN,
        "bytes",
        "Bodies that have come for requests that are not under way yet, in each process; past it 503 `too_many_bodies`",
    )
    TRUSTED_PROXIES: tuple[str, ...] = documented(
        (), THE_WAY_IN, "list of networks", "Peers whose `X-Forwarded-For`, `-Proto` and `-Host` are believed"
    )
    ALLOW_PLAIN_HTTP: bool = documented(
        False, THE_WAY_IN, "boolean", "Production without TLS, on a LAN under test; warns at start"
    )
    DEVICE_TIME_ZONE: str = documented(
        "UTC",
        THE_WAY_IN,
        "zone name",
        "How a device's time without an offset is read: `YYYY-MM-DD HH:MM:SS`, or with a `T`",
    )
    DEVICE_EPOCH: str = documented(
        "2020-01-01T00:00:00Z", THE_WAY_IN, "ISO 8601", "Earlier times of devices are not believed"
    )
    DEVICE_DATA_KEY: tuple[str, ...] = documented(
        (),
        THE_WAY_IN,
        "list of Fernet keys",
        "Encrypts the AES keys of devices at rest. The first encrypts, all decrypt: "
        "[rotation](operations.md#rotating-device_data_key)",
    )
    CLAIM_REPEAT_SECONDS: int = documented(
        600, THE_WAY_IN, "seconds", "How long a claim may be repeated by the device that made it"
    )
    METRICS_TOKEN: str = documented(
        "", THE_WAY_IN, "text", "Bearer for `/metrics` from other machines; empty: this machine only"
    )

    WRITE_QUEUE_BYTES: int = documented(
        64 * 1024 * 1024,
        THE_WRITE_PATH,
        "bytes",
        "What may wait to be written, in each process; past it 503 `queue_full`",
    )
    WRITE_QUEUE_SECONDS: float = documented(
        4.0,
        THE_WRITE_PATH,
        "seconds",
        "What has waited longer is refused before its transaction begins: 503 `queued_too_long`",
    )
    WRITE_REPLY_SECONDS: float = documented(
        4.5, THE_WRITE_PATH, "seconds", "Without an answer by then: 503 `commit_timeout`. The firmware hangs up after 5"
    )

    HA: bool = documented(
        False,
        THE_WRITE_PATH,
        "boolean",
        "Another PostgreSQL is to take over without a loss: production does not start where the database waits for no "
        "standby ([high availability](operations.md#high-availability))",
    )

    RETENTION_READINGS: int = documented(
        0,
        KEPT,
        "days",
        "Readings that arrived longer ago are deleted; their figures by the hour stay. 0: all are kept. At least "
        "`MESSAGE_ID_DAYS`",
    )
    MESSAGE_ID_DAYS: int = documented(
        30,
        KEPT,
        "days",
        "How long the `message_id` of a reading is known: sent again later it is another reading",
    )
    DATABASE_ROOM: int = documented(
        0,
        KEPT,
        "bytes",
        "What the database may take in all, for the [forecast](operations.md#when-the-disk-is-full). 0: as much as its "
        "disk has, where that is of this machine",
    )

    LIMITS_STORAGE: str = documented(
        "memory://",
        LIMITS,
        "URL",
        "Where limits are counted: in each process (on a clock that nobody sets, 10,000 keys a limit), "
        "or in Redis for all (`redis://host:6379/0`)",
    )
    LIMIT_FAILED_CLAIMS: str = documented("20/60", LIMITS, "limit", "Failed claims of an address")
    LIMIT_UNKNOWN_KEYS: str = documented(
        "1000/10", LIMITS, "limit", "Requests of an address with a key that is not in force"
    )
    LIMIT_DEVICE_WRITES: str = documented(
        "2000/10", LIMITS, "limit", "Writes of a device: 200 a second, bursts of 2,000. Always counted in each process"
    )
    LIMIT_SIGN_IN_PAIR: str = documented("10/300", LIMITS, "limit", "Failed sign-ins of an account from an address")
    LIMIT_SIGN_IN_ADDRESS: str = documented("100/300", LIMITS, "limit", "Failed sign-ins of an address")
    LIMIT_REGISTRATIONS: str = documented("10/3600", LIMITS, "limit", "Accounts made from an address")
    LIMIT_PERSON_CALLS: str = documented(
        "500/10", LIMITS, "limit", "API calls of a signed-in person: 50 a second, bursts of 500"
    )

    HEAVY_READS_PERSON: int = documented(
        2,
        LIMITS,
        "number",
        "Heavy reads (statistics, analytics, history, exports) of a person at once, in each process",
    )
    HEAVY_READS: int = documented(4, LIMITS, "number", "Heavy reads of all at once, in each process")
    HEAVY_WAIT_SECONDS: float = documented(
        5.0, LIMITS, "seconds", "How long another heavy read waits for its place; then 429"
    )

    HANDSHAKE_POLICY: str = documented(
        "guarded",
        OZONE_MACHINES,
        "text",
        "`guarded`, or `open`: whoever knows a MAC gets its token, for fleets whose firmware forgets it",
    )
    ENROLMENT_HOURS: int = documented(24, OZONE_MACHINES, "hours", "How long a window for a new token stays open")
    SELF_REGISTERED_DEVICES: int = documented(
        10_000,
        OZONE_MACHINES,
        "number",
        "Devices that registered themselves and were never assigned; past it the one least recently seen makes room",
    )
    LIMIT_HANDSHAKES: str = documented(
        "200/10", OZONE_MACHINES, "limit", "Handshakes of an address: 20 a second, bursts of 200"
    )
    LEGACY_INGEST: str = documented(
        "",
        OZONE_MACHINES,
        "text",
        "`on`, `assigned` (the MAC must be an assigned device's) or `off` (404). Empty: `on` in development, "
        "`assigned` in production",
    )
    LIMIT_LEGACY: str = documented(
        "200/10", OZONE_MACHINES, "limit", "Legacy messages of an address: 20 a second, bursts of 200"
    )
    COMMAND_TYPES: tuple[str, ...] = documented(
        (), OZONE_MACHINES, "list", "Types of commands beyond the firmware's own"
    )
    UNSAFE_COMMANDS: tuple[str, ...] = documented(
        ("REBOOT_DEVICE@1.0.0-sim",),
        OZONE_MACHINES,
        "list",
        "`TYPE@firmware`, exact: commands that a firmware does not survive. They are refused, and not delivered, "
        "unless made with `force`",
    )
    COMMAND_RESULT_SECONDS: int = documented(
        120, OZONE_MACHINES, "seconds", "A delivered command without a result is then delivered again, or has timed out"
    )
    STATUS_ONLINE_SECONDS: int = documented(
        960, OZONE_MACHINES, "seconds", "A device heard from no longer ago is online"
    )
    STATUS_IDLE_SECONDS: int = documented(3600, OZONE_MACHINES, "seconds", "No longer ago: idle; else offline")
    STATS_TIME_ZONE: str = documented(
        "UTC",
        OZONE_MACHINES,
        "zone name",
        "By whose clock pages tell times; whose hours and days the counts of treatments are kept in, and statistics "
        "shown unless they ask for another. After a change: `recompute_statistics` "
        "([operations.md](operations.md#statistics))",
    )

    CURRENCY: str = documented(
        "EUR",
        MONEY,
        "ISO 4217",
        "What prices and revenue are in, with its number of decimals. A price keeps the currency in which it was set: "
        "after a change prices are set anew",
    )

    ALERT_BACKUP_FOLDER: str = documented(
        "", ALERTS, "folder", "Where backups are put: an incident is opened when the newest is older than 30 hours"
    )
    ALERT_ESCALATION_MINUTES: int = documented(
        30, ALERTS, "minutes", "An incident that nobody has acknowledged for so long goes to the next people; 0: never"
    )
    ALERT_CHANNEL_KINDS: tuple[str, ...] = documented(
        ("email", "webhook"),
        ALERTS,
        "list",
        "Kinds of channels that people may add: `email`, `webhook`, and those of apprise by their scheme "
        "(`tgram`, `ntfys`, `slack`), which need `pip install apprise`",
    )
    WEBHOOK_ALLOWED_NETWORKS: tuple[str, ...] = documented(
        (),
        ALERTS,
        "list of networks",
        "Where channels may lead beside public addresses. Whoever has an account can make this server call there",
    )
    ALERT_REPORT_TIME: str = documented(
        "07:00", ALERTS, "HH:MM", "From when on, by STATS_TIME_ZONE, yesterday's figures are sent to whom wants them"
    )
    DELIVERY_LOG_DAYS: int = documented(90, ALERTS, "days", "How long it is kept what was sent to whom")
    INCIDENT_DAYS: int = documented(
        730, ALERTS, "days", "How long an incident is kept after its end. Strips of days go by those of the last 90"
    )
    EMAIL_HOST: str = documented("", ALERTS, "host", "The server that takes e-mail; empty: no channels of e-mail")
    EMAIL_PORT: int = documented(25, ALERTS, "number", "Its port: 587 with `EMAIL_USE_TLS`, 465 with `EMAIL_USE_SSL`")
    EMAIL_HOST_USER: str = documented("", ALERTS, "text", "Who we are there; empty: nobody asks")
    EMAIL_HOST_PASSWORD: str = documented("", ALERTS, "text", "And by what that is proved")
    EMAIL_USE_TLS: bool = documented(False, ALERTS, "boolean", "STARTTLS")
    EMAIL_USE_SSL: bool = documented(False, ALERTS, "boolean", "TLS from the first byte")
    EMAIL_TIMEOUT: int = documented(10, ALERTS, "seconds", "How long each of its answers is waited for")
    DEFAULT_FROM_EMAIL: str = documented("alerts@localhost", ALERTS, "address", "Whom e-mail is from")

    STATIONS_ENABLED: str = documented(
        "",
        CHARGING_STATIONS,
        "boolean or empty",
        "`1` on, `0` off; empty: on when there is a signature secret. Off is 404",
    )
    IOT_SYSTEM_SIGNATURE_SECRET: str = documented(
        "", CHARGING_STATIONS, "text", "Signs the partner's messages; in production at least 32 characters"
    )
    IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS: str = documented(
        "", CHARGING_STATIONS, "text", "Accepted too, during a change"
    )
    IOT_SYSTEM_ALLOWED_IPS: tuple[str, ...] = documented(
        (), CHARGING_STATIONS, "list", "Addresses, networks, host names that may send; empty: any"
    )
    IOT_SYSTEM_SIGNATURE_TIMEOUT: int = documented(
        300, CHARGING_STATIONS, "seconds", "How far `X-Timestamp` may be from the server's clock, either way"
    )
    STATION_LOG_DAYS: int = documented(90, CHARGING_STATIONS, "days", "How long lines of the sync log are kept")

    CORS_ALLOWED_ORIGINS: tuple[str, ...] = documented(
        (),
        PEOPLE,
        "list",
        "Origins of web pages that may use the API with a person's cookie, and read `ETag`, `Link` and "
        "`Retry-After`. Development: `http://localhost` and `http://127.0.0.1` on ports 3000 and 5173",
    )
    PUBLIC_URL: str = documented(
        "",
        PEOPLE,
        "URL",
        "Where people reach this server (`https://telemetry.example.com`): labels, messages and what else leaves the "
        "system lead there. Empty: the address that a page was asked for by",
    )
    REGISTRATION: str = documented(
        "open", PEOPLE, "text", "`open`, or `closed`: people may not make accounts for themselves"
    )
    ACCESS_TOKEN_MINUTES: int = documented(60, PEOPLE, "minutes", "Life of an access token")
    REFRESH_TOKEN_HOURS: int = documented(24, PEOPLE, "hours", "Life of a refresh token")


def documented_options() -> list[Field[Any]]:
    """The product's own, in the order of their tables; Django's are left out."""
    return [option for option in fields(Options) if option.metadata]


@cache
def options() -> Options:
    """Each option as Django's settings have it, else its default; lists are tuples here.

    Remembered: a request asks a dozen times, and Django's lazy settings take a microsecond each.
    """
    values: dict[str, Any] = {}
    for option in fields(Options):
        default: Any = option.default
        value = getattr(settings, option.name, default)
        values[option.name] = tuple(value) if isinstance(default, tuple) else value
    return Options(**values)


setting_changed.connect(lambda **_: options.cache_clear(), weak=False)
