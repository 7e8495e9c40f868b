"""Who may enter, what is to be done, what pages show: how every process hears that it has changed, and of whom.

A version is a random number, not a count: a failover to a standby that lacks the last changes would give the same
counts out again, and hide what came after.
"""

import secrets
from collections.abc import Collection, Iterable
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake.finding import FoundQuerySet
from ozone.intake.last import last_writes
from ozone.intake.sql import BulkInsert

EVERYONE: Final = 0
"""In place of a device: any of them may have changed."""
KEPT: Final = 10_000
"""Changes that are kept. A process that has slept through more begins anew."""


class RegistryVersion(models.Model):
    """One row that every process watches (ozone.intake.watcher): given new numbers by commands and changes of who may
    enter."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    registry_version = models.BigIntegerField(default=0)
    """That of the newest RegistryChange."""
    command_version = models.BigIntegerField(default=0)
    """Another one when a command waits for its device: waiting polls wake up."""
    page_version = models.BigIntegerField(default=0)
    """Another one after whatever a person changed: pages that show it look again."""

    class Meta:
        app_label = "device_gateway"

    @classmethod
    def change_registry(cls, devices: Collection[int], using: str = DEFAULT_DB_ALIAS) -> None:
        """Call inside the transaction that changes these devices or their credentials; EVERYONE is one, too. Of none:
        nobody can remember anything of what is new."""
        last_writes.add(connections[using], store_changes, list(devices) or [None])

    @classmethod
    def change_commands(cls) -> None:
        """Call inside the transaction that makes a command pending."""
        last_writes.add(connections[DEFAULT_DB_ALIAS], store_versions, ["command_version"])

    @classmethod
    def change_pages(cls) -> None:
        """Call after the change is committed."""
        last_writes.add(connections[DEFAULT_DB_ALIAS], store_versions, ["page_version"])

    @classmethod
    def touch(cls) -> None:
        """A write that changes nothing: fails when the database cannot be written."""
        cls.objects.filter(pk=1).update(registry_version=models.F("registry_version"))


class RegistryChange(models.Model):
    """Something of a device has changed that processes remember; None: of nobody, EVERYONE: of any.

    In the order of the commits: whoever adds one holds the row of RegistryVersion.
    """

    id = models.BigAutoField(primary_key=True)
    device_id = models.BigIntegerField(null=True)
    version = models.BigIntegerField()

    class Meta:
        app_label = "device_gateway"

    def __str__(self) -> str:
        return f"change {self.pk} of device {self.device_id}"


_insert: Final = BulkInsert(RegistryChange, ("device_id", "version"), returning=("id",))


def store_changes(connection: BaseDatabaseWrapper, devices: Iterable[int | None]) -> None:
    with transaction.atomic(using=connection.alias, savepoint=False):
        version = _renew(connection, {"registry_version"})
        changed: list[int | None] = [*sorted({device for device in devices if device is not None})] or [None]
        newest = max(number for (number,) in _insert.run(connection, [(device, version) for device in changed]))
        if newest % (KEPT // 10) < len(changed):
            RegistryChange.objects.using(connection.alias).filter(pk__lte=newest - KEPT).delete()


def store_versions(connection: BaseDatabaseWrapper, columns: Iterable[str]) -> None:
    _renew(connection, set(columns))


def _renew(connection: BaseDatabaseWrapper, columns: set[str]) -> int:
    """A new number for each of the columns, the same: it is returned. Everybody waits for the row: of the writer's
    transaction it is the last."""
    version = 1 + secrets.randbits(62)
    row = RegistryVersion.objects.using(connection.alias).filter(pk=1)
    if not row.update(**dict.fromkeys(columns, version)):
        # Only in a database that was emptied: the migration makes the row. Two at once make one, too.
        RegistryVersion.objects.using(connection.alias).bulk_create([RegistryVersion(pk=1)], ignore_conflicts=True)
        row.update(**dict.fromkeys(columns, version))
    return version


class WatchedQuerySet(FoundQuerySet):
    """Changes in bulk pass by `save` and its signals, so they say so themselves."""

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic(using=self.db):
            RegistryVersion.change_registry([EVERYONE], self.db)
            return super().update(**kwargs)

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Any]:
        with transaction.atomic(using=self.db):
            RegistryVersion.change_registry([], self.db)
            return super().bulk_create(*args, **kwargs)


def register_stores() -> None:
    last_writes.register(store_changes)
    last_writes.register(store_versions)
