"""What a run of simulated Ozone machines is asked to be, and what its machines write down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from simulators.client import Endpoint, Reply
from simulators.network import Weather
from simulators.staff import explain
from simulators.verdict import Latencies

TREATMENTS = ("BASIC", "STANDARD", "PREMIUM")
ORDINARY_STATUSES = (200, 201, 401, 403, 429, 502, 503, 504)  # any other is not for machines that behave


@dataclass(frozen=True, slots=True)
class OzoneOptions:
    """What to simulate.

    `presses_per_minute`: of each machine. `time_scale`: how many times faster the firmware's delays (poll, retry,
    boot) pass; the 5 s of a request and `seconds` are real ones. `utc_offset`: hours of the machines' local time,
    which the server knows as DEVICE_TIME_ZONE. `command_timeout`: the server's COMMAND_RESULT_SECONDS. `withhold`: the
    share of presses that are sent only when the ledger has been read without them. `core`: the machines run the core of
    clients/core in place of an imitation of the firmware in the field.
    """

    endpoint: Endpoint
    username: str
    password: str
    devices: int
    presses_per_minute: float
    seconds: float
    hostile: bool = False
    poll_seconds: float = 30.0
    time_scale: float = 1.0
    utc_offset: float = 0.0
    command_timeout: float = 120.0
    seed: int | None = None
    withhold: float = 0.0
    core: bool = False


class Fate(Enum):
    """What became of a press, as far as its machine knows."""

    QUEUED = "queued"
    ACKNOWLEDGED = "acknowledged"
    WITHHELD = "withheld"  # not in the queue yet
    CLEARED = "cleared"  # by CLEAR_QUEUE, stored before or not


@dataclass(slots=True)
class Press:
    """One press. `told`: the instant its `ts` means; `blind`: without a set clock; `life`: how often the counters were
    reset before; `ruling`: the operator's, on a refused one, `discarded` or `accepted`."""

    event_id: str
    treatment: str
    counter: int
    body: dict[str, Any]
    told: datetime
    blind: bool
    spoiled: bool
    life: int = 0
    was_withheld: bool = False
    fate: Fate = Fate.QUEUED
    ruling: str = ""


@dataclass(slots=True)
class Command:
    """A command as its machine remembers it. `reported`: the success it told and the server acknowledged."""

    kind: str
    deliveries: int = 0
    reported: bool | None = None


@dataclass(slots=True)
class Records:
    """What the machines of one run found out together."""

    weather: Weather
    presses: int = 0
    restarts: int = 0
    outages: int = 0
    statuses: Counter[str] = field(default_factory=Counter)  # "poll 401" → replies; "unseen 200": nobody read it
    unanswered: Counter[str] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)  # replies that a well-behaved machine should not get
    blocked: set[int] = field(default_factory=set)  # numbers of machines whose oldest event was refused
    latencies: Latencies = field(default_factory=Latencies)  # of events

    def note(self, kind: str, reply: Reply) -> None:
        self.statuses[f"{kind} {reply.status}"] += 1
        if reply.status not in ORDINARY_STATUSES and (reply.status != 400 or kind not in ("event", "unseen")):
            self.complain(kind, reply)

    def complain(self, kind: str, reply: Reply) -> None:
        self.complaints[f"{kind}: {explain(reply.status, reply.body)}"] += 1
