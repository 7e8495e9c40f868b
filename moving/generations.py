"""The earlier systems: by which tables each is known, and where each thing stands in it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from moving.sources import NoSource, Source


@dataclass(frozen=True)
class Generation:
    """`name` stands in the ids of what was moved; tables are named as they are found. None: it has no such thing."""

    name: str
    title: str
    people: str
    devices: str
    outlets: str | None = None
    machines: str | None = None
    bindings: str | None = None
    """None, with machines: the machine's own row names its device."""
    statuses: str | None = None
    commands: str | None = None
    tokens: str | None = None
    events: str | None = None
    readings: str | None = None
    derived: str | None = None
    stamps_on_insertion: bool = False
    """`occurred_at` is when the row was inserted; the press is in `device_timestamp`."""

    def tables(self) -> list[str]:
        named = (self.people, self.outlets, self.devices, self.machines, self.bindings, self.statuses)
        return [table for table in (*named, self.tokens, self.commands, self.events, self.readings) if table]

    @property
    def histories(self) -> list[str]:
        """Of which only a part may come."""
        return [table for table in (self.events, self.readings) if table]


FIRST: Final = Generation(
    "ozone1",
    "Ozone, first generation",
    people="auth_user",
    devices="telemetry_device",
    outlets="telemetry_outlet",
    machines="telemetry_machine",
    bindings="telemetry_machinedevice",
    statuses="telemetry_devicestatus",
    events="telemetry_telemetryevent",
    derived="telemetry_usagestatistics",
)
SECOND: Final = Generation(
    "ozone2",
    "Ozone, second generation",
    people="telemetry_user",
    devices="telemetry_device",
    outlets="telemetry_outlet",
    machines="telemetry_machine",
    statuses="telemetry_devicestatus",
    commands="telemetry_command",
    events="telemetry_telemetryevent",
    derived="telemetry_usagestatistics",
    stamps_on_insertion=True,
)
PORTAL: Final = Generation(
    "portal",
    "The meters' portal",
    people="auth_user",
    devices="device_gateway_device",
    tokens="device_gateway_deviceprovisioningtoken",
    readings="device_gateway_devicetelemetry",
)


def generation_of(source: Source) -> Generation:
    """Raises NoSource where the tables are those of no earlier system."""
    tables: Collection[str] = source.columns
    if "device_gateway_devicestate" in tables:
        raise NoSource("This is a database of this system, not of an earlier one.")
    if "telemetry_device" in tables and "telemetry_telemetryevent" in tables:
        return FIRST if "telemetry_machinedevice" in tables else SECOND
    if "device_gateway_device" in tables and "device_gateway_devicetelemetry" in tables:
        return PORTAL
    raise NoSource("These tables are those of no earlier system: neither of the Ozone ones nor of the meters' portal.")
