"""What a command may be: the one table of types. Polls, reports, the API, the forms and the docs' tests read it.

A deployment adds names by the setting COMMAND_TYPES; these have no trait of their own.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ozone.wire.conf import options
from ozone.wire.errors import Conflict


@dataclass(frozen=True)
class CommandType:
    """`name` as on the wire; `meaning`: what the device makes of it, in an operator's words."""

    name: str
    meaning: str = ""
    repeatable: bool = False
    """Without a result it may be delivered again: doing it twice does no harm."""
    opens_enrolment: bool = False
    """Its delivery opens the device's window for a new token: it may never manage to report."""
    resets_counters: bool = False
    """Once executed the device's counters are zeros, unless the result tells them."""
    clears_memory: bool = False
    """From its delivery on the device's counters may begin anew."""
    done_after: timedelta | None = None
    """A device that cannot report it has done it if it polls so long after the delivery."""
    harm: str = ""
    """What it does to each device that cannot be taken back, in a sentence."""

    @property
    def is_final(self) -> bool:
        return bool(self.harm)

    @property
    def words(self) -> str:
        """For a person who chooses one."""
        said = self.meaning + ("; cannot be taken back" if self.is_final else "")
        return f"{self.name}: {said}" if said else self.name


GET_STATUS: Final = CommandType("GET_STATUS", "report its status", repeatable=True)

_FIRMWARES: Final = (
    CommandType(
        "RESET_COUNTERS",
        "counters to zero",
        resets_counters=True,
        harm="Each device sets its counters to zero. What it told before stays counted; the counters do not come back.",
    ),
    CommandType(
        "CLEAR_MEMORY",
        "forget name and token, and enrol again",
        opens_enrolment=True,
        clears_memory=True,
        harm="Each device forgets its name and its token, and has to enrol again.",
    ),
    CommandType(
        "CLEAR_QUEUE",
        "drop events not sent yet",
        harm="Each device drops the events that it has not sent yet: those sales are counted nowhere.",
    ),
    CommandType(
        "REBOOT_DEVICE",
        "restart",
        done_after=timedelta(seconds=5),
        harm="Each device restarts, and serves nobody meanwhile. Some firmware then restarts for ever, until somebody"
        " goes there.",
    ),
    CommandType("UPDATE_SETTINGS", "take the settings in the payload", repeatable=True),
    GET_STATUS,
    CommandType("SYNC_TIME", "set its clock", repeatable=True),
    CommandType("UPDATE_FIRMWARE", "load new firmware"),
)
FIRMWARE_TYPES: Final = {kind.name: kind for kind in _FIRMWARES}
"""Those that the firmware knows, by name."""
RESETTING: Final = [kind.name for kind in _FIRMWARES if kind.resets_counters]
CLEARING: Final = [kind.name for kind in _FIRMWARES if kind.clears_memory]


def type_named(name: str) -> CommandType:
    """The firmware's, or one without traits: a deployment's, be it one that COMMAND_TYPES has no more."""
    return FIRMWARE_TYPES.get(name) or CommandType(name)


def command_types() -> list[CommandType]:
    """All that may be sent: the firmware's own, and those of the deployment."""
    own = (name for name in options().COMMAND_TYPES if name not in FIRMWARE_TYPES)
    return [*FIRMWARE_TYPES.values(), *map(CommandType, own)]


def is_unsafe(name: str, firmware: str) -> bool:
    """Whether UNSAFE_COMMANDS names the type for that firmware: a device is not known to survive it."""
    return f"{name}@{firmware}" in options().UNSAFE_COMMANDS


def may_be_unsafe(name: str) -> bool:
    """Whether UNSAFE_COMMANDS names the type for any firmware."""
    return any(pair.startswith(f"{name}@") for pair in options().UNSAFE_COMMANDS)


def unsafe_entries_of_no_use() -> list[str]:
    """What UNSAFE_COMMANDS holds that can meet no command: without `@`, a firmware, or a type that may be sent."""
    names = {kind.name for kind in command_types()}
    return [
        pair
        for pair in options().UNSAFE_COMMANDS
        for name, _, firmware in [pair.partition("@")]
        if name not in names or not firmware or firmware != firmware.strip()
    ]


def unsafe(name: str, firmware: str) -> Conflict:
    """Why such a command is refused, or not delivered."""
    return Conflict(f"{name} is known to harm devices with firmware {firmware}.", code="unsafe_for_firmware")
