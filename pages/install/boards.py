"""The boards that may go into a machine: those that were heard last first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.db.models import F, QuerySet

from device_gateway.models import Device, Enrolment
from device_gateway.registry.queries import visible_devices
from device_gateway.states import last_heard, later_of
from telemetry.finding import matching_devices
from telemetry.machines.spares import is_spare
from telemetry.models import Machine, MachineDevice

OFFERED: Final = 20
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class BoardRow(NamedTuple):
    """`state`: where it is, in words; `heard`: when it was, and `how`. `is_near`: from the address from which the
    boards at the machine's outlet speak."""

    machine: int
    device_id: str
    name: str
    state: str
    is_free: bool
    heard: datetime | None
    how: str
    is_near: bool


def board_rows(actor: Any, machine: Machine, words: str) -> Iterator[tuple[int, BoardRow]]:
    """For the machine. Without `words` those in no machine that have ever shaken hands, or were in one."""
    found = _found(matching_devices(actor, words)) if words else _free(actor)
    boards = Device.objects.filter(pk__in=found).select_related("machine__outlet", "enrolment", "state")
    heard = {board.pk: later_of(board.state.last_poll, board.state.last_seen) for board in boards}
    near, last_held = _addresses(machine), _last_held(found)
    for board in sorted(boards, key=lambda board: found.index(board.pk)):
        if board.pk == machine.device_id:
            continue
        enrolment: Enrolment | None = getattr(board, "enrolment", None)
        address = enrolment.held_by if enrolment else ""
        yield (
            board.pk,
            BoardRow(
                machine.pk,
                board.device_id or "",
                board.name,
                _state(board, last_held.get(board.pk)),
                not hasattr(board, "machine"),
                heard[board.pk],
                "heard" if board.assigned else "shook hands",
                bool(address) and address in near,
            ),
        )


def _free(actor: Any) -> list[int]:
    """Two looks, each by the smaller table: most devices of a fleet may be meters, or in machines."""
    devices = visible_devices(actor).filter(machine=None)
    looks = [devices.filter(enrolment__issued_at__isnull=False), devices.filter(is_spare())]
    heard = {pk: at or _NEVER for look in looks for pk, at in _newest(look)}
    return sorted(heard, key=lambda pk: (heard[pk], pk), reverse=True)[:OFFERED]


def _found(devices: "QuerySet[Device]") -> list[int]:
    return [pk for pk, _ in _newest(devices)]


def _newest(devices: "QuerySet[Device]") -> list[tuple[int, datetime | None]]:
    newest = devices.annotate(heard=last_heard()).order_by(F("heard").desc(nulls_last=True), "-pk")
    return list(newest.values_list("pk", "heard")[:OFFERED])


def _addresses(machine: Machine) -> set[str]:
    """From which the boards of the machine's outlet have shaken hands."""
    if machine.outlet_id is None:
        return set()
    there = Enrolment.objects.filter(device__machine__outlet=machine.outlet_id).exclude(held_by="")
    return set(there.values_list("held_by", flat=True))


def _last_held(boards: list[int]) -> dict[int, MachineDevice]:
    """By board the binding that ended last."""
    ended = MachineDevice.objects.filter(device__in=boards, is_active=False).select_related("machine")
    return {binding.device_id: binding for binding in ended.order_by("deactivated_date", "pk")}


def _state(board: Device, last: MachineDevice | None) -> str:
    if hasattr(board, "machine"):
        outlet = board.machine.outlet
        return f"in {board.machine}" + (f" at {outlet}" if outlet else "")
    if last is not None:
        return f"spare, was in {last.machine}"
    return "in no machine" if board.assigned else "never assigned"
