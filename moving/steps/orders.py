"""Commands of the second generation, as history: what waited there must not fire after the move."""

import uuid
from datetime import timedelta
from typing import Final

from moving.cells import first, json_object, moment, text, whole
from moving.pace import each_row
from moving.sources import Row
from moving.state import Move
from telemetry.models import Command

_ENDED: Final = {
    "executed": Command.Status.EXECUTED,
    "completed": Command.Status.EXECUTED,
    "failed": Command.Status.FAILED,
    "timeout": Command.Status.TIMEOUT,
    "expired": Command.Status.TIMEOUT,
    "cancelled": Command.Status.CANCELLED,
}
_NAMES: Final = uuid.UUID("5b1f6a57-6f0e-4b6c-9f0b-0c5f1d8f2a10")
"""The namespace of the ids of commands whose own id was none."""


def move_commands(move: Move) -> None:
    table = move.generation.commands
    if table is None:
        return
    each_row(move.source, table, lambda row: _move_command(move, table, row))


def _move_command(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    device = move.device(row.get("device_id"))
    if device is None:
        move.report.refuse(table, key, f"Its device {row.get('device_id')} is not in the source.")
        return
    command_id = _uuid(move, key, row.get("command_id"))
    if Command.objects.filter(command_id=command_id).exists():
        counted.there += 1
        return
    counted.added += 1
    told = text(row.get("status"), 16).lower()
    status = _ENDED.get(told, Command.Status.CANCELLED)
    kind = text(row.get("command_type"), 64)
    if told not in _ENDED:
        move.report.note(table, key, f"{kind} for {device.name} was {told or 'of no status'}: it comes cancelled.")
    if move.is_dry:
        return
    created = moment(row.get("created_at")) or move.now
    author = row.get("created_by_id")
    Command.objects.create(
        command_id=command_id,
        device_id=device.pk,
        command_type=kind,
        priority=_priority(row),
        payload=_object(move, table, key, row, "payload") or {},
        description=text(row.get("description"), 500),
        status=status,
        created_at=created,
        expires_at=moment(row.get("expires_at")) or created + timedelta(hours=24),
        sent_at=moment(row.get("sent_at")),
        deliveries=1 if row.get("sent_at") else 0,
        executed_at=moment(row.get("executed_at")),
        response_data=_object(move, table, key, row, "response_data"),
        counters=_counters(row),
        error_message=text(row.get("error_message"), 500),
        retry_count=min(whole(row.get("retry_count")) or 0, 32_767),
        changed_at=moment(first(row, "executed_at", "sent_at")) or created,
        created_by_id=None if author is None else move.known(move.generation.people, author),
    )


def _uuid(move: Move, key: object, told: object) -> uuid.UUID:
    try:
        return uuid.UUID(str(told))
    except ValueError:
        return uuid.uuid5(_NAMES, f"{move.generation.name} {key} {told}")


def _priority(row: Row) -> str:
    told = text(row.get("priority"), 8).lower()
    return told if told in Command.Priority.values else Command.Priority.NORMAL


def _object(move: Move, table: str, key: object, row: Row, column: str) -> dict[str, object] | None:
    if row.get(column) in (None, ""):
        return None
    found = json_object(row[column])
    if found is None:
        move.report.note(table, key, f"{column} is no JSON that can be kept: it comes without.")
    return found


def _counters(row: Row) -> dict[str, int] | None:
    """What the device's counters were afterwards, where its result told them."""
    told = (json_object(row.get("response_data")) or {}).get("current_counters")
    if not isinstance(told, dict):
        return None
    counts = {name: whole(told.get(name)) for name in ("basic", "standard", "premium")}
    return counts if None not in counts.values() else None  # type: ignore[return-value]
