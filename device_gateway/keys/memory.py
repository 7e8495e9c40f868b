"""Who holds which key, in memory: a look-up without a query for every key that is in force and may send.

Only a yes comes from memory. Whatever would be refused — an unknown key, an unassigned or archived device — is
looked up in the database first, so that a 401 is always fresh: a meter erases its key when it reads one. Changes of
other processes arrive through the watcher within a second; those of this process at their commit.
"""

import gc
import hashlib
import threading
import time
from collections.abc import Collection, Sequence, Set
from datetime import datetime
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_delete, post_save

from device_gateway.keys.identity import Identity
from device_gateway.models import Credential, Device
from device_gateway.versions import EVERYONE, RegistryVersion
from ozone.intake import Watcher, write_path
from ozone.intake.last import last_writes
from ozone.intake.sql import within
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Unauthorized, Unavailable
from ozone.wire.http import Request
from ozone.wire.limits import Limit

UNKNOWN_KEYS: Final = Limit(
    "unknown_keys", lambda: options().LIMIT_UNKNOWN_KEYS, "Too many unknown keys from this address.", is_own=True
)
_NAMES: Final = """
    SELECT n.device_id, n.name
    FROM device_gateway_devicename n JOIN device_gateway_device d ON d.id = n.device_id
    WHERE n.name <> d.device_id"""
_NONE: Final[frozenset[str]] = frozenset()
REST: Final = 0.25
"""Seconds between two looks at what has changed: a fleet that enrols changes the version with every claim."""
STEP: Final = 10_000
"""Keys that are loaded at once, in less than a tenth of a second."""
_NO_CHANGE: Final = (0, None)
KEY_USES: Final = "key_uses"
COMMANDS: Final = 1
"""The watcher's column of commands."""
USE_NOTED_EVERY: Final = 60.0
"""Seconds between two notes of a credential's use; the first use is always noted before its reply."""
MOVE_NOTED_EVERY: Final = 5.0
"""The same, of one that comes from another address."""
KeyUse = tuple[int, datetime, str]
"""A credential, when it was used, and from which address."""

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
        self._before: dict[bytes, Identity] = {}
        """While everything is loaded anew, what there was."""
        self._newest: tuple[int, int | None] = _NO_CHANGE
        """The change that was last taken over: its number and version."""
        self._changes = 0
        """How often something was taken over or forgotten."""
        self._lock = threading.Lock()
        self.watcher = Watcher(
            "SELECT registry_version, command_version FROM device_gateway_registryversion WHERE id = 1"
        )
        self.watcher.tell(0, self.follow, rest=REST)

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
        changes = self._changes
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
            if self._changes != changes:  # perhaps of this one, after it was read: it is not remembered
                return Identity(row, other_names)
            return self._take(digest, row, other_names)

    def follow(self) -> None:
        """Loads anew what has changed since the last time; everything where that cannot be told."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT registry_version FROM device_gateway_registryversion WHERE id = 1")
            row = cursor.fetchone()
        if row is None or not self._catch_up(row[0]):
            self.reload()

    def reload(self) -> None:
        """Everything anew, in steps between which it is kept true: what has not come yet is looked up meanwhile.
        Identities that stay keep their state."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, version FROM device_gateway_registrychange ORDER BY id DESC LIMIT 1")
            self._newest = cursor.fetchone() or _NO_CHANGE
        with self._lock:
            self._before = self._before | self._by_digest
            self._by_digest, self._digests = {}, {}
        gc.collect()  # what is garbage by now would be frozen, too, and stay for ever
        last: int | None = 0
        while last is not None:
            last = self._load("c.id > %s ORDER BY c.id LIMIT %s", [last, STEP])
            if not self._catch_up():
                self.reload()
                return
            self.watcher.has_looked()
            # These stay: of a million the collector's full pass, in which nobody else runs, takes most of a second.
            gc.collect(1)
            gc.freeze()
        with self._lock:
            self._before = {}

    def _catch_up(self, version: int | None = None) -> bool:
        """Loads the devices of all changes since the newest one known. False: these are not all, or do not lead to
        `version`; another database has taken the place of ours, or there were too many."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, version, device_id FROM device_gateway_registrychange WHERE id >= %s ORDER BY id",
                [self._newest[0]],
            )
            rows = cursor.fetchall()
        devices = sorted({device for _, _, device in rows[1:] if device is not None})
        if EVERYONE in devices or (version is not None and version not in {row[1] for row in rows}):
            return False
        if not rows or rows[0][:2] != self._newest:
            return not rows and self._newest == _NO_CHANGE
        for start in range(0, len(devices), STEP):
            some = devices[start : start + STEP]
            among, given = within(connection, some)
            self._load(f"d.id {among}", given, some)
        self._newest = rows[-1][:2]
        return True

    def _load(self, which: str, given: Sequence[Any], devices: Collection[int] = ()) -> int | None:
        """The keys that `which` tells; those that the `devices` had are forgotten. The last credential's number."""
        with connection.cursor() as cursor:
            cursor.execute(f"{_COLUMNS} {_MAY_SEND} AND {which}", given)
            rows = cursor.fetchall()
            among, held = within(connection, [row[3] for row in rows])
            cursor.execute(f"{_NAMES} AND d.id {among}", held)
            other_names: dict[int, set[str]] = {}
            for device, name in cursor.fetchall():
                other_names.setdefault(device, set()).add(name)
        with self._lock:
            self._changes += 1
            gone = {digest for device in devices if (digest := self._digests.pop(device, None)) is not None}
            for row in rows:
                digest = bytes.fromhex(row[0])
                gone.discard(digest)
                self._take(digest, row, other_names.get(row[3], _NONE))
            for digest in gone:
                self._by_digest.pop(digest, None)
        return rows[-1][1] if rows else None

    def forget(self, devices: Collection[int]) -> None:
        """What was remembered of some devices: their next requests are looked up."""
        with self._lock:
            self._changes += 1
            for device in devices:
                self._by_digest.pop(self._digests.pop(device, b""), None)

    def clear(self) -> None:
        with self._lock:
            self._by_digest, self._digests, self._before, self._newest = {}, {}, {}, _NO_CHANGE

    def note_use(self, identity: Identity, request: Request) -> KeyUse | None:
        """A row for the kind `key_uses`, when this use of the key is to be noted; else None."""
        moment = time.monotonic()
        way = request.peer, request.headers.get("x-forwarded-for")
        if identity.use_noted_at is not None:
            ago = moment - identity.use_noted_at
            if ago < (USE_NOTED_EVERY if identity.way in (way, None) else MOVE_NOTED_EVERY):
                return None
            if ago < USE_NOTED_EVERY and request.client == identity.address:  # by another proxy of ours
                identity.way = way
                return None
        identity.use_noted_at, identity.way, identity.address = moment, way, request.client
        return identity.credential_pk, request.received_at, request.client

    def _take(self, digest: bytes, row: tuple[Any, ...], other_names: Set[str]) -> Identity:
        identity = self._by_digest.get(digest) or self._before.get(digest)
        if identity is None or identity.credential_pk != row[1]:
            identity = Identity(row, other_names)
        else:
            identity.take(row, other_names)
        if (older := self._digests.get(identity.pk, digest)) != digest:  # a device has one key
            self._by_digest.pop(older, None)
        self._by_digest[digest] = identity
        self._digests[identity.pk] = digest
        return identity


keyring = Keyring()


def store_key_uses(connection: BaseDatabaseWrapper, uses: list[KeyUse]) -> None:
    """Notes when credentials were last used, not for every request: see Keyring.note_use.

    After what the devices said: a handshake has its device's status first and the credential then, and of two processes
    in different orders each would wait for the other.
    """
    last_writes.add(connection, write_key_uses, uses)


def write_key_uses(connection: BaseDatabaseWrapper, uses: list[KeyUse]) -> None:
    last = {credential: (used_at, address) for credential, used_at, address in uses}
    with connection.cursor() as cursor:
        for credential, (used_at, address) in sorted(last.items()):
            cursor.execute(
                "UPDATE device_gateway_credential SET last_used_at = %s, address = %s, address_since ="
                " CASE WHEN address IN ('', %s) THEN address_since ELSE %s END WHERE id = %s",
                [used_at, address, address, used_at, credential],
            )


def register_kind() -> None:
    write_path.register(KEY_USES, store_key_uses, is_piped=True)
    last_writes.register(write_key_uses)


def note_changes(devices: Collection[int], using: str = DEFAULT_DB_ALIAS) -> None:
    """Of the devices something is changed, or of their credentials: call inside that transaction."""
    RegistryVersion.change_registry(devices, using)
    # robust: what is committed stays committed, and the writer must not take it for refused.
    transaction.on_commit(lambda: keyring.forget(devices), using=using, robust=True)


def connect_signals() -> None:
    """Every change of a device or a credential raises the version in its own transaction."""

    def changed(sender: Any, instance: Any, using: str, **_: Any) -> None:
        note_changes([instance.pk if sender is Device else instance.device_id], using)

    for model in (Device, Credential):
        for signal in (post_save, post_delete):
            signal.connect(changed, sender=model, weak=False, dispatch_uid=f"registry-{model.__name__}-{id(signal)}")
