"""Gateways and scripts for Ozone Telemetry.

`Device` and `AsyncDevice` send presses and readings through a queue on disk and carry out commands; `Operator` makes
the calls that scripts of operators need.
"""

from ozone_telemetry_client.conversation import Command, Result, Settings, State
from ozone_telemetry_client.device import AsyncDevice, Device
from ozone_telemetry_client.operator import Operator, Refused
from ozone_telemetry_client.queue import Queue, QueueFailed, QueueFull

__all__ = [
    "AsyncDevice",
    "Command",
    "Device",
    "Operator",
    "Queue",
    "QueueFailed",
    "QueueFull",
    "Refused",
    "Result",
    "Settings",
    "State",
]
