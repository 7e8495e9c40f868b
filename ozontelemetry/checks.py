"""Startup checks: each says what to set. A server with an error here does not start."""

import io
import sys
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from alerts.carriers import chat
from alerts.carriers.mail import missing_of_email
from device_gateway.claims.payloads import LONGEST_HOST
from ledger.prices.money import is_currency
from ozone.wire.address import network
from ozone.wire.conf import options
from ozone.wire.http import is_public_url
from ozone.wire.limits import rate
from ozone.wire.times import parse_iso
from ozontelemetry import durability, passwords
from stations.partner.addresses import entries_of_no_use
from stations.partner.switch import stations_enabled
from telemetry.commands.types import unsafe_entries_of_no_use

TAG = "ozone"
DATABASE_TAG = "ozone-database"
"""What needs the database."""


def sound_or_exit(*, quiet: bool = False) -> None:
    """What a server does before it serves: prints warnings (unless `quiet`), and exits where something is missing.

    Management commands run without these settings: the seeds' `migrate` and `createsuperuser` need none.
    """
    try:
        call_command(
            "check",
            tags=[TAG, DATABASE_TAG],
            deploy=True,
            stdout=io.StringIO(),
            stderr=io.StringIO() if quiet else None,
        )
    except SystemCheckError as error:
        sys.exit(str(error))


@register(TAG)
def settings_are_usable(**_: Any) -> list[CheckMessage]:
    """Values that would otherwise fail at the first request."""
    found: list[CheckMessage] = []
    for text in options().TRUSTED_PROXIES:
        try:
            network(text)
        except ValueError:
            found.append(Error(f"TRUSTED_PROXIES holds {text!r}, which is no address or network.", id="ozone.E004"))
    found += [
        Error(
            f"IOT_SYSTEM_ALLOWED_IPS holds {text!r}, which is no address, network or host name.",
            hint="Without scheme and port: 213.210.21.113, 10.0.0.0/8, api.example.com.",
            id="ozone.E004",
        )
        for text in entries_of_no_use()
    ]
    for key in options().DEVICE_DATA_KEY:
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    "DEVICE_DATA_KEY holds a value that is not a Fernet key.",
                    hint="Make one: python -c "
                    "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'",
                    id="ozone.E005",
                )
            )
    for name, value in sorted(vars(options()).items()):
        if not name.startswith("LIMIT_"):
            continue
        try:
            rate(value)
        except ValueError:
            found.append(Error(f"{name} must read <number>/<seconds>, as 20/60.", id="ozone.E006"))
    zones = {"DEVICE_TIME_ZONE": options().DEVICE_TIME_ZONE, "STATS_TIME_ZONE": options().STATS_TIME_ZONE}
    for name, zone in zones.items():
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            found.append(
                Error(f"{name} names no time zone.", hint="Write it as Asia/Singapore, or UTC.", id="ozone.E012")
            )
    if options().HANDSHAKE_POLICY not in ("guarded", "open"):
        found.append(Error("HANDSHAKE_POLICY must be guarded or open.", id="ozone.E013"))
    if options().LEGACY_INGEST not in ("", "on", "assigned", "off"):
        found.append(Error("LEGACY_INGEST must be on, assigned, off or empty.", id="ozone.E014"))
    found += [
        Error(
            f"UNSAFE_COMMANDS holds {text!r}, which names no command and firmware: it would be without effect.",
            hint="Write it as TYPE@firmware, with a type of command that may be sent: REBOOT_DEVICE@1.0.0-sim.",
            id="ozone.E015",
        )
        for text in unsafe_entries_of_no_use()
    ]
    if not is_currency(options().CURRENCY):
        found.append(Error("CURRENCY is no currency of ISO 4217.", hint="Write it as MYR, or EUR.", id="ozone.E017"))
    if parse_iso(options().DEVICE_EPOCH) is None:
        found.append(Error("DEVICE_EPOCH is not an ISO 8601 time.", id="ozone.E007"))
    if (url := options().PUBLIC_URL) and not is_public_url(url):
        found.append(
            Error(
                "PUBLIC_URL is no address that labels and messages could lead to.",
                hint="Write it as https://telemetry.example.com, without a query.",
                id="ozone.E018",
            )
        )
    if not 1 <= options().MESSAGE_ID_DAYS <= (options().RETENTION_READINGS or options().MESSAGE_ID_DAYS):
        found.append(
            Error(
                "RETENTION_READINGS must be 0, or at least MESSAGE_ID_DAYS, and that at least 1.",
                hint="A reading that comes again is known by the one that is there.",
                id="ozone.E019",
            )
        )
    try:
        stations_enabled()
    except ValueError as error:
        found.append(Error(str(error), id="ozone.E011"))
    if options().REGISTRATION not in ("open", "closed"):
        found.append(Error("REGISTRATION must be open or closed.", id="ozone.E008"))
    if not settings.USE_TZ:
        found.append(Error("USE_TZ must be on: every time here is an instant.", id="ozone.E009"))
    return found


@register(TAG)
def channels_are_usable(**_: Any) -> list[CheckMessage]:
    """Where messages go, and by what."""
    found: list[CheckMessage] = []
    for text in options().WEBHOOK_ALLOWED_NETWORKS:
        try:
            network(text)
        except ValueError:
            found.append(Error(f"WEBHOOK_ALLOWED_NETWORKS holds {text!r}, which is no network.", id="ozone.E030"))
    if options().EMAIL_USE_TLS and options().EMAIL_USE_SSL:
        found.append(
            Error("EMAIL_USE_TLS and EMAIL_USE_SSL are both on: a server speaks one of them.", id="ozone.E031")
        )
    try:
        time.fromisoformat(options().ALERT_REPORT_TIME)
    except ValueError:
        found.append(Error("ALERT_REPORT_TIME is no time of day.", hint="Write it as 07:00.", id="ozone.E032"))
    if options().EMAIL_HOST and not options().PUBLIC_URL:
        found.append(
            Warning(
                "PUBLIC_URL is not set: messages have no links, not the one that stops them either.", id="ozone.W031"
            )
        )
    chats = [kind for kind in options().ALERT_CHANNEL_KINDS if kind not in ("email", "webhook")]
    if chats and not chat.is_installed():
        found.append(
            Warning(
                f"ALERT_CHANNEL_KINDS names {', '.join(chats)}, and apprise is not installed.",
                hint="pip install apprise.",
                id="ozone.W030",
            )
        )
    return found


@register(TAG, deploy=True)
def production_is_set_up(**_: Any) -> list[CheckMessage]:
    """What production needs and development does not."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if not settings.SECRET_KEY_IS_SET:
        found.append(
            Error(
                "Set DJANGO_SECRET_KEY: sessions and tokens are signed with it.",
                hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'. "
                "Or set DJANGO_DEBUG=1 for development on this machine.",
                id="ozone.E001",
            )
        )
    if not settings.ALLOWED_HOSTS:
        found.append(Error("Set DJANGO_ALLOWED_HOSTS to the names this server is reached by.", id="ozone.E002"))
    if options().ALLOW_PLAIN_HTTP:
        found.append(
            Warning(
                "ALLOW_PLAIN_HTTP is on: keys and readings cross the network unencrypted.",
                hint="Right on a LAN under test only.",
                id="ozone.W001",
            )
        )
    if "email" in options().ALERT_CHANNEL_KINDS and (missing := missing_of_email()):
        found.append(
            Warning(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: nobody is told by e-mail.",
                hint="Set them, or leave email out of ALERT_CHANNEL_KINDS.",
                id="ozone.W032",
            )
        )
    if not options().DEVICE_DATA_KEY:
        found.append(
            Warning("DEVICE_DATA_KEY is not set: devices cannot be provisioned with encryption.", id="ozone.W002")
        )
    return found


@register(DATABASE_TAG, deploy=True)
def nobody_knows_the_password(**_: Any) -> list[CheckMessage]:
    """Production with a superuser of development's first start, on loopback neither: a proxy stands in front."""
    return [] if settings.DEBUG else list(passwords.with_known_password())


@register(DATABASE_TAG, deploy=True)
def the_database_keeps_what_it_takes(**_: Any) -> list[CheckMessage]:
    """Of a PostgreSQL, and of its standby where HA says that there is one."""
    if settings.DEBUG or (facts := durability.facts()) is None:
        return []
    return list(durability.judge(facts, has_standby=options().HA))


@register(TAG, deploy=True)
def stations_are_guarded(**_: Any) -> list[CheckMessage]:
    """What production needs where there are charging stations."""
    try:
        if settings.DEBUG or not stations_enabled():
            return []
    except ValueError:  # ozone.E011 has said so
        return []
    found: list[CheckMessage] = []
    secrets = {
        "IOT_SYSTEM_SIGNATURE_SECRET": options().IOT_SYSTEM_SIGNATURE_SECRET,
        "IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS": options().IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS,
    }
    for name, secret in secrets.items():
        if len(secret) < SHORTEST_SECRET and (secret or name == "IOT_SYSTEM_SIGNATURE_SECRET"):
            found.append(
                Error(
                    f"Set {name} to at least {SHORTEST_SECRET} characters: stations' messages are signed with it.",
                    hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'. "
                    "Or set STATIONS_ENABLED=0 where there are no stations.",
                    id="ozone.E010",
                )
            )
    if not any(text.strip() for text in options().IOT_SYSTEM_ALLOWED_IPS):
        found.append(
            Warning(
                "IOT_SYSTEM_ALLOWED_IPS is empty: stations' messages are taken from any address.",
                hint="List the addresses, networks or host names of the partner's system.",
                id="ozone.W010",
            )
        )
    return found


SHORTEST_SECRET = 32
"""Characters of a signature secret in production."""


@register(TAG, deploy=True)
def host_names_fit_the_sketch(**_: Any) -> list[CheckMessage]:
    """The meter's sketch parses the claim reply into 256 bytes (docs/devices.md has the arithmetic)."""
    return [
        Warning(
            f"The host name {host!r} is longer than {LONGEST_HOST} characters: with it the reply to a claim does "
            "not fit the 256 bytes of the meter's sketch.",
            id="ozone.W003",
        )
        for host in settings.ALLOWED_HOSTS
        if len(host) > LONGEST_HOST
    ]
