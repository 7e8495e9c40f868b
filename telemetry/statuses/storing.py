"""A device's status as its row says it, locked: counters, flags, vitals, and until when they are told.

The row of DeviceStatus is the lock for all that its device tells: whoever holds it knows the device's counters, its
newest event and its bindings until the commit, in every process.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake.sql import BulkInsert, moment, read_moment, select, within
from ozone.wire.folding import folded
from ozone.wire.times import AHEAD
from telemetry.models import DeviceStatus
from telemetry.statuses.payloads import NO_FLAGS, Counters, Flags
from telemetry.treatments import COUNTERS

_MOMENTS: Final = ("counters_at", "newest_ts", "vitals_at", "firmware_at")
_STATUS: Final = (
    "device_id",
    *(f"current_count_{name}" for name in COUNTERS),
    *_MOMENTS,
    "mode",
    "device_timestamp",
    "resets",
    "touched",
    "touched_from",
    *Flags._fields,
)
"""Columns of DeviceStatus, as LockedStatus has them."""
_make: Final = BulkInsert(DeviceStatus, ["device_id"], "ON CONFLICT DO NOTHING")
_save: Final = BulkInsert(
    DeviceStatus,
    _STATUS,
    "ON CONFLICT (device_id) DO UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in _STATUS[1:]),
)
_touch: Final = BulkInsert(
    DeviceStatus,
    ["device_id", "touched", "touched_from"],
    "ON CONFLICT (device_id) DO UPDATE SET touched = t.touched + 1, touched_from ="
    " CASE WHEN t.touched_from < excluded.touched_from THEN t.touched_from ELSE excluded.touched_from END",
)
"""One statement for any number of them: in each Python's lock is given away, and comes back behind all who compute."""
_FROM: Final = "FROM telemetry_devicestatus s JOIN device_gateway_device d ON d.id = s.device_id WHERE s.device_id"
_SELECT: Final = f"SELECT d.created_at, {', '.join(f's.{column}' for column in _STATUS)}, d.firmware {_FROM}"
_SELECT_REGISTERED: Final = f"SELECT d.created_at, s.device_id {_FROM}"


@dataclass(slots=True)
class LockedStatus:
    """A row of DeviceStatus, locked. `firmware`: what the device has told since; None for nothing new.
    `known_firmware`: what the registry had of it."""

    device: int
    counts: list[int]
    counters_at: datetime | None
    newest_ts: datetime | None
    vitals_at: datetime | None
    firmware_at: datetime | None
    mode: str
    device_timestamp: str
    resets: int
    touched: int
    touched_from: datetime | None
    flags: list[Any]
    registered_at: datetime
    known_firmware: str
    firmware: str | None = None

    def row(self, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
        return (
            self.device,
            *self.counts,
            *[moment(connection, getattr(self, name)) for name in _MOMENTS],
            self.mode,
            self.device_timestamp,
            self.resets,
            self.touched,
            moment(connection, self.touched_from),
            *self.flags,
        )

    def believe(self, now: datetime) -> None:
        """Forgets times that lie ahead of now by more than any that is taken: a clock was wrong that is right again."""
        latest = now + AHEAD
        for name in _MOMENTS:
            at = getattr(self, name)
            if at is not None and at > latest:
                setattr(self, name, None)

    def touch(self, at: datetime) -> None:
        """Something is stored that bears on what its counters say from that time on."""
        self.touched += 1
        if self.touched_from is None or at < self.touched_from:
            self.touched_from = at

    def has_events_after(self, at: datetime | None) -> bool:
        return at is not None and self.newest_ts is not None and at < self.newest_ts

    def count(self, told: Sequence[int], at: datetime) -> None:
        """The three counters as they are by an event of that moment, unless they reflect what happened later."""
        if self.counters_at is not None and at < self.counters_at:
            return
        second = _second(at)
        # Presses of one second may arrive in either order.
        same = second == self.counters_at
        self.counts = [max(new, old) for new, old in zip(told, self.counts, strict=True)] if same else list(told)
        self._count_from(second)

    def hear(self, counters: Counters | None, flags: Flags, at: datetime, *, has_reset: bool) -> None:
        """What a device says of itself in a command's result.

        Of these only a reset holds back the counters of events before it: a device whose clock is slow tells its next
        press with a time before its last result.
        """
        if counters is not None:
            self.counts = list(counters)
            if has_reset:
                self.counters_at = at
        self.resets += has_reset
        self.tell(flags, None, at)

    def tell(self, flags: Flags, firmware: str | None, at: datetime) -> None:
        """What a device says of itself beside its counters. The word that was said last stands, not the one that
        arrived last: a queue may be uploaded after the new firmware has spoken."""
        second = _second(at)
        if flags != NO_FLAGS and (self.vitals_at is None or second >= self.vitals_at):
            self.flags = [old if new is None else new for new, old in zip(flags, self.flags, strict=True)]
            self.vitals_at = second
        if firmware and (self.firmware_at is None or second >= self.firmware_at):
            self.firmware, self.firmware_at = firmware, second

    def _count_from(self, second: datetime) -> None:
        """Only a reset is kept exactly: what was pressed in its second may have been pressed before it."""
        if self.counters_at is None or _second(self.counters_at) != second:
            self.counters_at = second


def _second(at: datetime) -> datetime:
    """As devices tell times: else a press would seem older than a result of the same second."""
    return at.replace(microsecond=0) if at.microsecond else at


def lock_statuses(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, LockedStatus]:
    """The devices' rows of DeviceStatus, locked until the commit; made where there are none. `devices` is sorted."""
    return _locked(connection, _SELECT, devices, _status)


def lock_devices(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, datetime]:
    """The same lock, for whoever asks for no more than when each was registered."""
    return _locked(connection, _SELECT_REGISTERED, devices, lambda row: read_moment(row[0]))


def registrations(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, datetime]:
    """The same without a lock, of those that have a row of DeviceStatus."""
    found = select_of(connection, _SELECT_REGISTERED, devices)
    return {device: read_moment(at) for at, device in found}  # type: ignore[misc]


def save_statuses(connection: BaseDatabaseWrapper, statuses: Sequence[LockedStatus]) -> None:
    """Writes locked rows back, and the firmware that their devices have told; sorted by device."""
    _save.run(connection, [status.row(connection) for status in statuses])
    # Most tell what is known, and the registry's rows are left alone then.
    news = [status for status in statuses if status.firmware and status.firmware != status.known_firmware]
    if news:
        _note_firmware(connection, news)


def touch_statuses(connection: BaseDatabaseWrapper, moments: Mapping[int, datetime]) -> None:
    """As LockedStatus.touch, of devices whose rows are there and not saved besides."""
    _touch.run(connection, [(device, 1, moment(connection, at)) for device, at in sorted(moments.items())])


def _note_firmware(connection: BaseDatabaseWrapper, statuses: Sequence[LockedStatus]) -> None:
    with connection.cursor() as cursor:
        for status in statuses:
            cursor.execute(
                "UPDATE device_gateway_device SET firmware = %s, firmware_folded = %s WHERE id = %s",
                [status.firmware, folded(str(status.firmware)), status.device],
            )
            if status.known_firmware:  # its row is locked
                cursor.execute(
                    "UPDATE telemetry_devicestatus SET firmware_since = %s WHERE device_id = %s",
                    [moment(connection, status.firmware_at), status.device],
                )


def _locked(
    connection: BaseDatabaseWrapper, query: str, devices: Sequence[int], read: Callable[[tuple[Any, ...]], Any]
) -> dict[int, Any]:
    """What `query` finds, which begins with the registration and the number of a device."""

    def lock() -> dict[int, Any]:
        rows = select_of(connection, query, devices, " ORDER BY s.device_id", " FOR UPDATE OF s")
        return {row[1]: read(row) for row in rows}

    found = lock()
    if len(found) < len(devices):
        _make.run(connection, [(device,) for device in devices if device not in found])
        found = lock()
    return found


def _status(row: tuple[Any, ...]) -> LockedStatus:
    (
        registered_at,
        device,
        basic,
        standard,
        premium,
        counters_at,
        newest_ts,
        vitals_at,
        firmware_at,
        mode,
        device_timestamp,
        resets,
        touched,
        touched_from,
        *flags,
        firmware,
    ) = row
    return LockedStatus(
        device,
        [basic, standard, premium],
        read_moment(counters_at),
        read_moment(newest_ts),
        read_moment(vitals_at),
        read_moment(firmware_at),
        mode,
        device_timestamp,
        resets,
        touched,
        read_moment(touched_from),
        flags,
        read_moment(registered_at),  # type: ignore[arg-type]
        firmware,
    )


def select_of(
    connection: BaseDatabaseWrapper, query: str, devices: Collection[int], order: str = "", lock: str = ""
) -> list[tuple[Any, ...]]:
    """What `query` finds, which ends with the column of a device, of these devices; `lock` is for PostgreSQL."""
    among, given = within(connection, devices)
    return select(connection, f"{query} {among}{order}{'' if connection.vendor == 'sqlite' else lock}", given)
