"""When a page has to look again: one cheap query over what it depends on."""

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection

from ozone.intake.sql import moment
from ozone.wire.conf import options
from telemetry.presence import PRESENCE_SQL, moments


def _newest(before: str) -> str:
    """When of those whose presence counts from before a moment the newest was: another one when one more is silent so
    long. Of a device that polls its polls count."""
    return (
        f"(SELECT MAX(last_poll) FROM device_gateway_devicestate WHERE last_poll {before}),"
        f" (SELECT MAX(last_seen) FROM device_gateway_devicestate WHERE last_poll IS NULL AND last_seen {before})"
    )


SOURCES: Final = {
    # Who may enter, and whatever a person changed: devices, machines, outlets, tokens, quarantine.
    "people": "SELECT MAX(registry_version), MAX(page_version) FROM device_gateway_registryversion",
    # Who was heard last, and who has last crossed a threshold of the status. By index, however many devices there are.
    "presence": "SELECT (SELECT MAX(last_seen) FROM device_gateway_devicestate"
    " WHERE last_poll IS NOT NULL AND last_seen <= %(ahead)s),"
    f" {_newest('<= %(ahead)s')}, {_newest('< %(online)s')}, {_newest('< %(idle)s')}",
    # Who has last ceased to fetch commands.
    "polling": "SELECT MAX(last_poll) FROM device_gateway_devicestate WHERE last_poll < %(polling)s",
    "events": "SELECT MAX(id) FROM telemetry_telemetryevent",
    "readings": "SELECT MAX(id) FROM device_gateway_devicetelemetry",
    "commands": "SELECT MAX(changed_at) FROM telemetry_command WHERE changed_at <= %(ahead)s",
    # Open commands that have expired or are overdue: time alone changes their state.
    "deadlines": "SELECT COUNT(*) FROM telemetry_command WHERE status IN ('pending', 'sent')"
    " AND (expires_at <= %(now)s OR sent_at <= %(overdue)s)",
    "refused": "SELECT MAX(last_at) FROM telemetry_quarantinedevent WHERE last_at <= %(ahead)s",
    "handshakes": "SELECT MAX(id) FROM device_gateway_handshakeattempt",
    "tokens": "SELECT COUNT(*), MAX(id) FROM device_gateway_provisioningtoken"
    " WHERE claimed_at IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)",
    "keys": "SELECT COUNT(*) FROM device_gateway_credential WHERE last_used_at IS NULL",
    "stations": "SELECT MAX(id) FROM stations_synclog",
}
"""What a page may depend on, each as a query for one row. `minute` is one more: of pages that speak of today."""


_OWN: Final = (
    "SELECT MAX(last_seen) FILTER (WHERE last_seen <= %(ahead)s), MAX(last_poll) FILTER (WHERE last_poll <= %(ahead)s),"
    f" COUNT(*) FILTER (WHERE {PRESENCE_SQL} = 'online'), COUNT(*) FILTER (WHERE {PRESENCE_SQL} = 'idle')"
    " FROM device_gateway_devicestate"
    " JOIN device_gateway_device d ON d.id = device_gateway_devicestate.device_id WHERE d.owner_id = %(owner)s"
)

_UNSETTLED: Final = "SELECT string_agg(x::text, ',') FROM pg_snapshot_xip(pg_current_snapshot()) x"
"""PostgreSQL's transactions that are open while later ones are committed: what they store comes below a MAX that was
read already. SQLite has one writer at a time."""

_SETTLED: Final = frozenset({"people"})
"""Sources of one row that every change renews: what is committed later gives it another number, whoever began first.
What follows nothing else rests while devices write, which they do without a pause."""


SHARED_SECONDS: Final = 0.4
_MOST_KNOWN: Final = 1000
_known: dict[tuple[tuple[str, ...], int | None], tuple[float, str]] = {}


class Scope(NamedTuple):
    """As much of a person as tells what they see: everybody with the same one sees the same."""

    is_staff: bool
    pk: int | None


def scope_of(actor: Any) -> Scope:
    return Scope(actor.is_staff, None if actor.is_staff else actor.pk)


def version(now: datetime, follows: Sequence[str], *, owner: int | None = None, fresh: bool = True) -> str:
    """A word that differs when anything of `follows` does.

    With `owner`, a user's id, of their devices only: whatever one of them sends moves its `last_seen`, so that a page
    of theirs rests while others' devices talk. Unless `fresh` it may be 0.4 seconds old: fifty windows that look once
    a second are no reason to look through the devices' states fifty times.
    """
    key = (tuple(follows), owner)
    if not fresh and key in _known:
        read_at, word = _known[key]
        if time.monotonic() - read_at < SHARED_SECONDS:
            return word
    word = _read(now, follows, owner)
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    _known[key] = (time.monotonic(), word)
    return word


def _read(now: datetime, follows: Sequence[str], owner: int | None) -> str:
    sources = {name: SOURCES[name] for name in follows if name in SOURCES}
    if owner is not None and not sources.keys().isdisjoint({"presence", "events", "readings"}):
        sources = {name: query for name, query in sources.items() if name not in ("events", "readings")}
        sources["presence"] = _OWN
    if connection.vendor == "postgresql" and not _SETTLED.issuperset(sources):
        sources["unsettled"] = _UNSETTLED
    given = {
        "now": now,
        **moments(now),
        "overdue": now - timedelta(seconds=options().COMMAND_RESULT_SECONDS),
    }
    with connection.cursor() as cursor:
        tables = ", ".join(f"({query}) AS {name}" for name, query in sources.items())
        times = {name: moment(connection, value) for name, value in given.items() if f"%({name})s" in tables}
        cursor.execute(f"SELECT * FROM {tables}", {**times, "owner": owner})
        found = cursor.fetchone()
    minute = now.replace(second=0, microsecond=0) if "minute" in follows else None
    return hashlib.blake2b(repr((found, minute)).encode(), digest_size=9).hexdigest()
