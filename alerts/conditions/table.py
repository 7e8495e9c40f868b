"""All conditions, one row each: what they are called, what is said of them, and how they are found."""

from typing import Final

from alerts.conditions import silence
from alerts.conditions.found import Condition

_ROWS: Final = (
    Condition(
        silence.SILENT,
        "silence",
        "Silent",
        "device",
        silence.says_silent,
        "Is it switched on, and does its network work? Its page tells its last words.",
        "an hour (STATUS_IDLE_SECONDS) of its outlet's opening hours, or twice the longest usual time between readings",
    ),
    Condition(
        silence.OUTLET_SILENT,
        "silence",
        "Outlet silent",
        "outlet",
        silence.says_outlet_silent,
        "Router or power: look at the outlet's router, its line and its fuse before the machines.",
        "as silent, of all its machines within a minute",
    ),
    Condition(
        silence.NOTHING_HEARD,
        "system",
        "Nothing is heard",
        "system",
        silence.says_nothing_heard,
        "Look at this server's own network, name and certificate. No machine is reported silent meanwhile.",
        "as silent, of all devices within a minute",
        for_staff=True,
    ),
)
CONDITIONS: Final = {condition.kind: condition for condition in _ROWS}
