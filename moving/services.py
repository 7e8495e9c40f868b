"""Moving in: everything an earlier system's database holds, in the order in which one thing needs another."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils import timezone

from device_gateway.models import Device
from device_gateway.versions import EVERYONE, RegistryVersion
from moving.cells import first, text, whole
from moving.generations import generation_of
from moving.pace import forced_at_the_end, under_way, unlogged
from moving.report import Report
from moving.sources import NoSource, Source, count, find_keys, walk
from moving.state import Move
from moving.steps.fleet import check_data_key, move_devices, move_statuses, move_tokens
from moving.steps.histories import Progress, move_events, move_readings
from moving.steps.orders import move_commands
from moving.steps.people import move_people
from moving.steps.places import move_bindings, move_machines, move_outlets
from ozone.wire.conf import options


def move_in(
    source: Source, *, zone: ZoneInfo, since: datetime | None = None, is_dry: bool = False, progress: Progress
) -> Report:
    """Brings what the source holds and is not here yet. Raises NoSource before anything is written.

    May be repeated, and goes on where it was cut off: each step of at most 128 rows is a transaction of its own.
    """
    generation = generation_of(source)
    move = Move(source, generation, Report(generation.name, is_dry), zone, timezone.now(), since)
    find_keys(source, filter(None, (*generation.tables(), "auth_user", generation.derived)))
    check_data_key(move)
    _check_retention(move)
    before = _counted_rows(move)
    move.remembered()
    with unlogged(), nullcontext() if is_dry else _written():
        move_people(move)
        move_outlets(move)
        move_devices(move)
        move_machines(move)
        move_bindings(move)
        move_statuses(move)
        move_tokens(move)
        move_commands(move)
        move_events(move, progress)
        move_readings(move, progress)
        _compare_derived(move)
        if not is_dry:
            _finish()
    # A source in use may get rows meanwhile, or lose some.
    move.report.in_source = {table: min(before.get(table, 0), rows) for table, rows in _counted_rows(move).items()}
    return move.report


def _counted_rows(move: Move) -> dict[str, int]:
    """Of the tables whose rows are all to come."""
    some = move.generation.histories if move.since is not None else []
    there = [table for table in move.generation.tables() if table in move.source.columns and table not in some]
    return {table: count(move.source, table) for table in there}


@contextmanager
def _written() -> Iterator[None]:
    with forced_at_the_end(), under_way():
        yield


def _check_retention(move: Move) -> None:
    """Raises NoSource before anything is moved where old readings would be deleted as they come: a repeat would bring
    them again, and count them twice among what stays of them."""
    if move.generation.readings and options().RETENTION_READINGS and not move.report.is_dry:
        raise NoSource("RETENTION_READINGS is set: leave it at 0, here and at the server, until you move in no more.")


def sizes(source: Source) -> dict[str, int]:
    """Rows of each history, for whoever shows the progress."""
    generation = generation_of(source)
    return {table: count(source, table) for table in (generation.events, generation.readings) if table}


def _compare_derived(move: Move) -> None:
    """What the source had counted by day, against its own events: differences are named, and nothing is copied."""
    table = move.generation.derived
    if table is None or table not in move.source.columns or move.since is not None:
        return
    for rows in walk(move.source, table):
        for row in rows:
            for treatment in ("BASIC", "STANDARD", "PREMIUM"):
                counted = _counted(row, treatment.lower())
                date = text(first(row, "date", "day"), 10)
                told = move.report.days[text(row.get("device_id"), 255), date, treatment]
                if counted is not None and counted != told:
                    where = (
                        f"{row.get('device_id')} on {date}: {counted} {treatment} counted there, {told} by its events"
                    )
                    move.report.note(table, row[move.key_of(table)], where)


def _counted(row: dict[str, Any], name: str) -> int | None:
    column = next((column for column in row if name in column), None)
    return None if column is None else whole(row[column])


def _finish() -> None:
    """Numbers that came with their rows are given out no second time, and everybody looks anew."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), [Device]):
                cursor.execute(statement)
        RegistryVersion.change_registry([EVERYONE])
    RegistryVersion.change_pages()
