"""Outlets, machines, and which device each machine held from when to when."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from device_gateway.models import Device
from moving.cells import day, first, flag, moment, number, text, whole
from moving.pace import each_row
from moving.sources import Row, walk
from moving.state import Move, MovedDevice
from telemetry.models import Machine, MachineDevice, Outlet


def move_outlets(move: Move) -> None:
    table = move.generation.outlets
    if table is None:
        return
    each_row(move.source, table, lambda row: _move_outlet(move, table, row))


def _move_outlet(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    if move.known(table, key) is not None:
        counted.there += 1
        return
    name = text(first(row, "name", "outlet_name")) or f"Outlet {key}"
    here = Outlet.objects.filter(name=name, archived_at=None).first()
    if here is not None:
        counted.there += 1
        move.report.note(table, key, f"There is an outlet {name} here: its machines go there.")
        move.remember(table, key, here.pk)
        return
    counted.added += 1
    contact = [text(row.get(column), 100) for column in ("contact_person", "pic_sm", "contact_phone", "sm_number")]
    outlet = Outlet(
        name=name,
        region=text(first(row, "region", "location")),
        address=text(first(row, "address"), 500),
        contact_person=", ".join(part for part in contact if part)[:200],
        is_active=flag(row.get("is_active"), True),
        total_sva=whole(row.get("total_sva")),
        average_intage_services=number(first(row, "average_intage_services", "avg_intake_service")),
        number_of_machines=whole(first(row, "number_of_machines", "num_machines")),
    )
    if not move.is_dry:
        outlet.save()
    move.remember(table, key, outlet.pk or move.invented())


def move_machines(move: Move) -> None:
    table = move.generation.machines
    if table is None:
        return
    each_row(move.source, table, lambda row: _move_machine(move, table, row))


def _move_machine(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    if move.known(table, key) is not None:
        counted.there += 1
        return
    stood = row.get("outlet_id")
    outlet = None if stood is None or move.generation.outlets is None else move.known(move.generation.outlets, stood)
    if stood is not None and outlet is None:
        move.report.note(table, key, f"Its outlet {stood} is not in the source: it comes without one.")
    for column in ("machine_type", "notes", "last_maintenance"):
        if row.get(column):
            move.report.note(table, key, f"{column} has no place here: {text(row[column], 200)}")
    counted.added += 1
    machine = Machine(
        name=text(first(row, "name", "machine_code")) or f"Machine {key}",
        outlet_id=outlet,
        is_active=flag(row.get("is_active"), True),
        installed_date=day(first(row, "installed_date", "installed_at")),
    )
    if not move.is_dry:
        machine.save()
    move.remember(table, key, machine.pk or move.invented())


@dataclass
class Interval:
    """A machine held a device from `start` until before `end` (None: still)."""

    key: object
    machine: int
    device: int
    start: datetime
    end: datetime | None
    is_open: bool


def move_bindings(move: Move) -> None:
    """All of them at once, so that intervals which overlap can be cut where the next begins."""
    table = move.generation.bindings or move.generation.machines
    if table is None:
        return
    intervals = []
    for rows in walk(move.source, table):
        for row in rows:
            interval = _interval(move, table, row)
            if interval is not None:
                intervals.append(interval)
    _cut(move, table, intervals)
    if not move.is_dry:
        with transaction.atomic():
            _store(intervals)
            for interval in intervals:
                if move.generation.bindings:
                    move.remember(table, interval.key, interval.machine)


def _interval(move: Move, table: str, row: Row) -> Interval | None:
    """None: this row binds nothing, has been moved before, or names what is not there."""
    is_own = move.generation.bindings is not None
    key = row[move.key_of(table)]
    named = row.get("device_id")
    if is_own:
        counted = move.table(table)
        counted.rows += 1
        if move.known(table, key) is not None:
            counted.there += 1
            _end_known(move, row)
            return None
    elif named is None:
        return None
    machine = move.known(str(move.generation.machines), row["machine_id"] if is_own else key)
    device = move.device(named)
    if machine is None or device is None:
        missing = f"machine {row.get('machine_id')}" if machine is None else f"device {named}"
        if is_own:
            move.report.refuse(table, key, f"Its {missing} is not in the source.")
        else:
            move.report.note(table, key, f"Its {missing} is not in the source: it comes without a device.")
        return None
    if not is_own and MachineDevice.objects.filter(machine=machine, device=device.pk).exists():
        return None
    if is_own:
        move.table(table).added += 1
    start = _start(row, device)
    end = moment(row.get("deactivated_date"))
    is_open = end is None and (not is_own or flag(row.get("is_active"), True))
    return Interval(key, machine, device.pk, start, end, is_open)


def _start(row: Row, device: MovedDevice) -> datetime:
    return moment(first(row, "assigned_date", "installed_at", "installed_date")) or device.registered_at


def _end_known(move: Move, row: Row) -> None:
    """An earlier run may have brought it as still in force, and the source has ended it since."""
    end = moment(row.get("deactivated_date"))
    machine, device = move.known(str(move.generation.machines), row["machine_id"]), move.device(row.get("device_id"))
    if machine is None or device is None or move.is_dry or (end is None and flag(row.get("is_active"), True)):
        return
    # One that began here has another beginning.
    held = MachineDevice.objects.filter(
        machine=machine, device=device.pk, assigned_date=_start(row, device), is_active=True
    )
    with transaction.atomic():
        _end(held, end or move.now)


def _cut(move: Move, table: str, intervals: list[Interval]) -> None:
    """One device a machine and one machine a device at any time: what is still open when the next begins ends there."""
    intervals.sort(key=lambda interval: (interval.start, str(interval.key)))
    last: dict[tuple[str, int], Interval] = {}
    for interval in intervals:
        for holder in (("machine", interval.machine), ("device", interval.device)):
            before = last.get(holder)
            if before is not None and (before.end is None or before.end > interval.start):
                if before.is_open or before.end is not None:
                    move.report.note(
                        table,
                        before.key,
                        f"It ends at {interval.start:%Y-%m-%d %H:%M:%S} UTC, when {interval.key} begins.",
                    )
                before.end, before.is_open = interval.start, False
            last[holder] = interval
    for interval in intervals:
        _cut_by_ours(move, table, interval)
        if interval.end is None and not interval.is_open:
            interval.end = max(move.now, interval.start)
            move.report.note(table, interval.key, "It is not active and says not until when: it ends with the move.")
        if interval.end is not None and interval.end < interval.start:
            interval.end = interval.start


def _cut_by_ours(move: Move, table: str, interval: Interval) -> None:
    """A binding that began here later has the last word."""
    ours = MachineDevice.objects.filter(device=interval.device, assigned_date__gte=interval.start)
    limit = ours.order_by("assigned_date").values_list("assigned_date", flat=True).first()
    if limit is not None and (interval.end is None or interval.end > limit):
        interval.end, interval.is_open = limit, False
        move.report.note(
            table, interval.key, "The device got a machine here later: this binding ends where that begins."
        )


def _store(intervals: list[Interval]) -> None:
    for interval in intervals:
        if interval.end is None:
            _end_before(interval)
    outlets = dict(
        Machine.objects.filter(pk__in={interval.machine for interval in intervals}).values_list("pk", "outlet_id")
    )
    MachineDevice.objects.bulk_create(
        MachineDevice(
            machine_id=interval.machine,
            device_id=interval.device,
            outlet_id=outlets[interval.machine],
            assigned_date=interval.start,
            deactivated_date=interval.end,
            is_active=interval.end is None,
        )
        for interval in intervals
    )
    for interval in intervals:
        if interval.end is None:
            # The binding is made above, with its past beginning: saving the machine would begin one now.
            Machine.objects.filter(pk=interval.machine).update(device=interval.device)
            Device.objects.filter(pk=interval.device, assigned=False).update(assigned=True, provisional=False)


def _end_before(interval: Interval) -> None:
    """What an earlier run brought as still in force, and the source has ended since."""
    either = Q(machine=interval.machine) | Q(device=interval.device)
    _end(MachineDevice.objects.filter(either, is_active=True), interval.start)


def _end(bindings: "QuerySet[MachineDevice]", at: datetime) -> None:
    for binding in bindings:
        Machine.objects.filter(pk=binding.machine_id).update(device=None)
        end = max(at, binding.assigned_date)
        MachineDevice.objects.filter(pk=binding.pk).update(is_active=False, deactivated_date=end)
