"""The device's side of commands: it polls for them, perhaps waiting, and reports what it made of each."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from device_gateway.gate import Call, ClientLeft, DeviceRoute, Receive
from device_gateway.keys.identity import Identity
from device_gateway.keys.memory import keyring
from ozone import intake
from ozone.wire import bodies, jsonio
from ozone.wire.errors import Unauthorized
from ozone.wire.http import Reply, Request
from ozone.wire.times import iso
from telemetry.commands import services
from telemetry.commands.payloads import Asked, read_poll, read_result
from telemetry.commands.polling import POLLS, Poll, also_waiting
from telemetry.commands.waiting import End, room
from telemetry.models import Command

_POLL_BYTES: Final = 256


class HeldPoll:
    """A poll, answered at once when there is a command, else when there is one or the time is up."""

    def __init__(self, device: int, asked: Asked, may_still: Callable[[], bool], reply: Callable[..., Reply]) -> None:
        self._device = device
        self._asked = asked
        self._may_still = may_still
        self._reply = reply
        self._seat = 1 + secrets.randbits(62)

    async def answer_later(self, receive: Receive) -> Reply:
        seconds = self._asked.wait
        if not seconds:
            return self._reply(await self._look(sits_down=True))
        until = monotonic() + seconds
        # Seated before the first look: a command made between the two would wake nobody.
        seat = room.sit(self._device, seconds, receive)
        try:
            found = await self._look(sits_down=True)
            while found == [] and monotonic() < until:
                end = await seat.wait()
                if end is End.HUNG_UP:
                    raise ClientLeft
                # A key that was revoked meanwhile gets nothing; the next poll tells the device.
                if end is End.DONE or not self._may_still():
                    break
                found = await self._look(sits_down=False)
            return self._reply(found)
        finally:
            room.rise(seat)

    def answer_now(self) -> Reply:
        return self._reply(intake.submit_and_wait(POLLS, self._poll(sits_down=True), _POLL_BYTES))

    async def _look(self, *, sits_down: bool) -> list[Command] | None:
        found: list[Command] | None = await intake.submit(POLLS, self._poll(sits_down=sits_down), _POLL_BYTES)
        return found

    def _poll(self, *, sits_down: bool) -> Poll:
        """What the device says of itself it has said once, however often its commands are looked for."""
        said = self._asked if sits_down else Asked()
        return Poll(self._device, datetime.now(UTC), self._seat, sits_down, said.firmware, said.flags)


def poll(request: Request, identity: Identity) -> HeldPoll:
    """The commands that are the device's to do now; with `wait` it is held until there is one."""
    name = request.params["device_id"]
    _check_name(identity, name)
    token = request.bearer()

    def may_still() -> bool:
        return keyring.find(token) is not None

    def reply(found: list[Command] | None) -> Reply:
        listed = [_as_device_sees_it(command) for command in found or ()]
        body = {
            "commands": listed,
            "count": len(listed),
            "device_id": identity.device_id,
            "timestamp": iso(datetime.now(UTC)),
        }
        return Reply.json(200, body)

    return HeldPoll(identity.pk, read_poll(request.query), may_still, reply)


def _as_device_sees_it(command: Command) -> dict[str, Any]:
    return {
        "id": str(command.command_id),
        "command_id": str(command.command_id),
        "command_type": command.command_type,
        "priority": command.priority,
        "payload": command.payload,
        "description": command.description,
        "created_at": iso(command.created_at),
        "expires_at": iso(command.expires_at),
    }


def report(request: Request, identity: Identity) -> Call:
    """What the device made of a command."""
    _check_name(identity, request.params["device_id"])
    bodies.require_json(request.body, request.headers)
    jsonio.require_some(request.body)
    result = read_result(jsonio.decode(request.body))
    command_id = request.params["command_id"]

    def reply(reported: services.Reported) -> Reply:
        body = {"status": "updated", "command_id": command_id, "success": reported.success}
        return Reply.json(200, {**body, **also_waiting(reported.waiting)})

    arguments = {"device": identity.pk, "command_id": command_id, "result": result, "received_at": request.received_at}
    return Call(services.report, arguments, reply)


def _check_name(identity: Identity, name: str) -> None:
    if not identity.is_called(name):
        raise Unauthorized("This key is not that of the device named in the path.")


_DEVICE: Final = r"device/(?P<device_id>[^/]+)/commands"
POLL: Final = DeviceRoute(_DEVICE, {"GET": poll}, unassigned=Unauthorized)
REPORT: Final = DeviceRoute(
    # A UUID has hexadecimal digits only: `create` and `status` are the operators' (telemetry/commands/urls.py).
    rf"{_DEVICE}/(?P<command_id>[0-9A-Fa-f-]+)",
    {"POST": report},
    unassigned=Unauthorized,
)
