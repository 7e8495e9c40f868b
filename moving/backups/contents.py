"""What a database holds, so that a copy can be compared with what was copied."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from django.conf import settings

from device_gateway.models import DeviceTelemetry
from ozone.wire.conf import options
from telemetry.models import TelemetryEvent

Query = Callable[[str], list[tuple[Any, ...]]]
"""Runs a SELECT."""

_NEWEST: Final = (DeviceTelemetry, TelemetryEvent)
_ROUNDS: Final = 200_000
"""Of PBKDF2: a secret key may be one that somebody has thought of."""
_LOST: Final = {
    "DJANGO_SECRET_KEY": "everybody has to sign in again",
    "DEVICE_DATA_KEY": "readings of encrypted devices would be refused (503)",
}
"""What follows where a key is another one."""


@dataclass(frozen=True)
class Contents:
    """`tables`: rows of each; `newest`: of readings and events the last one stored; `keys`: fingerprints of the secrets
    that a copy needs and does not hold."""

    tables: dict[str, int]
    newest: dict[str, str]
    migrations: list[str]
    keys: dict[str, list[str]] = field(default_factory=lambda: key_fingerprints())

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_contents(query: Query, tables: Iterable[str]) -> Contents:
    counts = {table: int(query(f'SELECT count(*) FROM "{table}"')[0][0]) for table in sorted(tables)}
    newest = {}
    for table in [model._meta.db_table for model in _NEWEST]:
        if counts.get(table):
            row = query(f'SELECT id, device_id, received_at FROM "{table}" ORDER BY id DESC LIMIT 1')[0]
            newest[table] = f"number {row[0]} of device {row[1]}, received at {str(row[2])[:26].removesuffix('+00:00')}"
    applied = query("SELECT app, name FROM django_migrations ORDER BY id") if "django_migrations" in counts else []
    return Contents(counts, newest, [f"{app}.{name}" for app, name in applied])


def differences(told: Contents, found: Contents) -> list[str]:
    """How a restored database differs from what was backed up."""
    sentences = [
        f"{table}: {told.tables.get(table, 'no')} rows were backed up, {found.tables.get(table, 'no')} are there"
        for table in sorted({*told.tables, *found.tables})
        if told.tables.get(table) != found.tables.get(table)
    ]
    sentences += [
        f"{table}: the newest was {told.newest.get(table)}, and is {found.newest.get(table)}"
        for table in sorted({*told.newest, *found.newest})
        if told.newest.get(table) != found.newest.get(table)
    ]
    return sentences


def missing_keys(told: Contents) -> list[str]:
    """Sentences on keys that the backed up server had and this environment has not."""
    here = key_fingerprints()
    return [
        f"{name} is not the one that the backup's server had: {_LOST[name]}"
        for name, prints in told.keys.items()
        if not set(prints) <= set(here[name])
    ]


def key_fingerprints() -> dict[str, list[str]]:
    return {
        "DJANGO_SECRET_KEY": [_fingerprint(settings.SECRET_KEY)],
        "DEVICE_DATA_KEY": [_fingerprint(key) for key in options().DEVICE_DATA_KEY],
    }


def _fingerprint(key: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", key.encode(), b"ozone backup", _ROUNDS).hex()[:16]
