"""Who holds which key, in memory: a look-up without a query for every key that is in force and may send.

Only a yes comes from memory. Whatever would be refused — an unknown key, an unassigned or archived device — is
looked up in the database first, so that a 401 is always fresh: a meter erases its key when it reads one. Changes of
other processes arrive through the watcher within a second; those of this process at their commit.
"""

import hashlib
import threading
import time
from collections.abc import Collection, Set
from datetime import datetime
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_delete, post_save

from device_gateway.keys.identity import Identity
from device_gateway.models import Credential, Device, RegistryVersion
from ozone.intake import Watcher, write_path
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Unauthorized, Unavailable
from ozone.wire.limits import Limit

UNKNOWN_KEYS: Final = Limit(
    "unknown_keys", lambda: options().LIMIT_UNKNOWN_KEYS, "Too many unknown keys from this address."
)
_NAMES: Final = """
    SELECT n.device_id, n.name
    FROM device_gateway_devicename n JOIN device_gateway_device d ON d.id = n.device_id
    WHERE n.name <> d.device_id"""
_NONE: Final[frozenset[str]] = frozenset()
REST: Final = 0.25
"""Seconds between two reloads: a fleet that enrols changes the version with every claim."""
KEY_USES: Final = "key_uses"
COMMANDS: Final = 1
"""The watcher's column of commands."""
USE_NOTED_EVERY: Final = 60.0
"""Seconds between two notes of a credential's use; the first use is always noted before its reply."""

_COLUMNS: Final = """
    SELECT c.hash, c.id, c.last_used_at IS NOT NULL, d.id, d.device_id, d.assigned, d.archived_at IS NOT NULL,
           d.encryption, d.data_key
    FROM device_gateway_credential c JOIN device_gateway_device d ON d.id = c.device_id
    WHERE c.revoked_at IS NULL"""
_MAY_SEND: Final = "AND d.assigned AND d.archived_at IS NULL"
"""Of ten thousand devices that have registered themselves there is nothing to remember."""


class Keyring:
    def __init__(self) -> None:
        self._by_digest: dict[bytes, Identity] = {}
        self._digests: dict[int, bytes] = {}
        """Of the one key of each device that is remembered."""
        self._lock = threading.Lock()
        self.watcher = Watcher(
            "SELECT registry_version, command_version FROM device_gateway_registryversion WHERE id = 1"
        )
        self.watcher.tell(0, self.reload, rest=REST)

    def find(self, token: str) -> Identity | None:
        """The device whose key this is, if memory says that it may send. None says nothing: ask `look_up`.

        Raises Unavailable when the database could not be watched for two seconds: the key may have been revoked.
        """
        self.watcher.ensure_started()
        if self.watcher.is_blind:
            raise Unavailable("The server cannot reach its database. Send it again.", code="registry_unavailable")
        identity = self._by_digest.get(hashlib.sha256(token.encode()).digest())
        if identity is None or not identity.assigned or identity.archived:
            return None
        return identity

    def look_up(self, token: str, client: str) -> Identity:
        """The device whose key this is, from the database (blocks). It may be unassigned or archived.

        Raises Unauthorized for a key that is not in force, TooManyRequests for an address that sends many of them,
        Unavailable when the database does not answer.
        """
        address = limit_key(client)
        UNKNOWN_KEYS.check(address)
        digest = hashlib.sha256(token.encode()).digest()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"{_COLUMNS} AND c.hash = %s", [digest.hex()])
                row = cursor.fetchone()
                if row is not None:
                    cursor.execute(f"{_NAMES} AND d.id = %s", [row[3]])
                    other_names = {name for _, name in cursor.fetchall()}
        except (DatabaseError, InterfaceError):
            connection.close()
            raise Unavailable("The server cannot look up the key now. Send it again.", code="lookup_failed") from None
        if row is None:
            UNKNOWN_KEYS.count(address)
            with self._lock:
                self._by_digest.pop(digest, None)
            raise Unauthorized
        with self._lock:
            if (older := self._digests.get(row[3], digest)) != digest:  # a device has one key
                self._by_digest.pop(older, None)
            self._digests[row[3]] = digest
            return self._take(self._by_digest, digest, row, other_names)

    def reload(self) -> None:
        """Everything anew, by two queries; identities that stay keep their state."""
        with connection.cursor() as cursor:
            cursor.execute(f"{_COLUMNS} {_MAY_SEND}")
            rows = cursor.fetchall()
            cursor.execute(f"{_NAMES} {_MAY_SEND}")
            other_names: dict[int, set[str]] = {}
            for device, name in cursor.fetchall():
                other_names.setdefault(device, set()).add(name)
        fresh: dict[bytes, Identity] = {}
        with self._lock:
            for row in rows:
                self._take(fresh, bytes.fromhex(row[0]), row, other_names.get(row[3], _NONE))
            self._by_digest = fresh
            self._digests = {identity.pk: digest for digest, identity in fresh.items()}

    def forget(self, devices: Collection[int]) -> None:
        """What was remembered of some devices: their next requests are looked up."""
        with self._lock:
            for device in devices:
                self._by_digest.pop(self._digests.pop(device, b""), None)

    def clear(self) -> None:
        with self._lock:
            self._by_digest, self._digests = {}, {}

    def note_use(self, identity: Identity, now: datetime) -> tuple[int, datetime] | None:
        """A row for the kind `key_uses`, when this use of the key is to be noted; else None."""
        moment = time.monotonic()
        if identity.use_noted_at is not None and moment - identity.use_noted_at < USE_NOTED_EVERY:
            return None
        identity.use_noted_at = moment
        return identity.credential_pk, now

    def _take(
        self, into: dict[bytes, Identity], digest: bytes, row: tuple[Any, ...], other_names: Set[str]
    ) -> Identity:
        identity = self._by_digest.get(digest)
        if identity is None or identity.credential_pk != row[1]:
            identity = Identity(row, other_names)
        else:
            identity.take(row, other_names)
        into[digest] = identity
        return identity


keyring = Keyring()


def store_key_uses(connection: BaseDatabaseWrapper, uses: list[tuple[int, datetime]]) -> None:
    """Notes when credentials were last used, not for every request: see Keyring.note_use."""
    with connection.cursor() as cursor:
        for credential, used_at in sorted(dict(uses).items()):
            cursor.execute(
                "UPDATE device_gateway_credential SET last_used_at = %s WHERE id = %s", [used_at, credential]
            )


def register_kind() -> None:
    write_path.register(KEY_USES, store_key_uses)


def note_changes(devices: Collection[int], using: str = DEFAULT_DB_ALIAS) -> None:
    """Of the devices something is changed, or of their credentials: call inside that transaction."""
    RegistryVersion.raise_registry()
    # robust: what is committed stays committed, and the writer must not take it for refused.
    transaction.on_commit(lambda: keyring.forget(devices), using=using, robust=True)


def connect_signals() -> None:
    """Every change of a device or a credential raises the version in its own transaction."""

    def changed(sender: Any, instance: Any, using: str, **_: Any) -> None:
        note_changes([instance.pk if sender is Device else instance.device_id], using)

    for model in (Device, Credential):
        for signal in (post_save, post_delete):
            signal.connect(changed, sender=model, weak=False, dispatch_uid=f"registry-{model.__name__}-{id(signal)}")
