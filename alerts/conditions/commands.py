"""Commands that came to nothing, and handshakes that were refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min

from alerts.conditions.found import Facts, Found, Moment, clock, counted
from alerts.conditions.rules import Rules
from device_gateway.models import Device, HandshakeAttempt
from telemetry.commands.lifecycle import FAILED, TIMEOUT, state_is
from telemetry.models import Command

COMMAND_FAILED: Final = "command_failed"
HANDSHAKE_REFUSED: Final = "handshake_refused"

WITHIN: Final = timedelta(days=1)
MOST: Final = 1_000
"""Commands that are told in one go: the newest."""
REFUSED: Final = 5
REFUSED_WITHIN: Final = timedelta(hours=1)


def command_failed(moment: Moment) -> Sequence[Found]:
    """Of the last day, each once; of one that was given to many devices once for all of them."""
    if Rules(COMMAND_FAILED).number(1) is None:
        return []
    came_to_nothing = state_is(FAILED, moment.now) | state_is(TIMEOUT, moment.now)
    commands = Command.objects.filter(came_to_nothing, changed_at__gt=moment.now - WITHIN, device__archived_at=None)
    rows = commands.select_related("device__machine__outlet", "bulk").order_by("-changed_at")[:MOST]
    found: dict[str, Found] = {}
    for command in rows:
        key = f"bulk:{command.bulk_id}" if command.bulk_id else f"command:{command.pk}"
        earlier = found.get(key)
        if earlier is not None:
            found[key] = earlier._replace(facts={**earlier.facts, "devices": earlier.facts["devices"] + 1})
            continue
        failed = command.status == FAILED
        facts = {
            "command_id": str(command.command_id),
            "command_type": command.command_type,
            "is_timeout": not failed,
            "error": command.error_message or command.message,
            "devices": 1,
        }
        device = command.device
        machine = getattr(device, "machine", None)
        of_one = command.bulk_id is None
        found[key] = Found(
            COMMAND_FAILED,
            key,
            f"{command.command_type} for {machine or device}" if of_one else str(command.bulk),
            command.changed_at,
            facts,
            device.pk if of_one else None,
            machine.pk if machine and of_one else None,
            machine.outlet_id if machine and of_one else None,
        )
    return list(found.values())


def handshake_refused(moment: Moment) -> Sequence[Found]:
    """So often within an hour: somebody knows the MAC, or a board has lost its token."""
    rules = Rules(HANDSHAKE_REFUSED)
    wanted = rules.number(REFUSED)
    if wanted is None:
        return []
    attempts = HandshakeAttempt.objects.filter(permitted=False, at__gt=moment.now - REFUSED_WITHIN)
    rows = attempts.order_by().values_list("device").annotate(number=Count("id"), first=Min("at"))
    often = {device: (number, first) for device, number, first in rows if number >= wanted}
    devices = Device.objects.filter(pk__in=list(often), archived_at=None).select_related("machine__outlet")
    found = []
    for device in devices.order_by("id"):
        number, first = often[device.pk]
        machine = getattr(device, "machine", None)
        addresses = set(attempts.filter(device=device).values_list("address", flat=True))
        facts = {"attempts": number, "addresses": sorted(addresses)[:5]}
        found.append(
            Found(
                HANDSHAKE_REFUSED,
                f"device:{device.pk}",
                str(machine or device),
                first,
                facts,
                device.pk,
                machine.pk if machine else None,
                machine.outlet_id if machine else None,
            )
        )
    return found


def says_command_failed(facts: Facts, since: datetime) -> str:
    number = facts.get("devices", 1)
    of_many = f" by {number:,} devices" if number > 1 else ""
    if facts.get("is_timeout"):
        return f"It was sent, and no result has come{of_many}; given at {clock(since)}."
    return f"It was refused or failed{of_many} at {clock(since)}: {facts.get('error') or 'no reason was told'}."


def says_handshake_refused(facts: Facts, since: datetime) -> str:
    addresses = ", ".join(facts.get("addresses", ()))
    return f"{counted(facts, 'attempts')} handshakes with its MAC were refused since {clock(since)}, from {addresses}."
