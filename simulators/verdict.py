"""Was every acknowledged reading stored, once? The comparison of what devices sent with what the server returns."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

BUCKETS_PER_E = 50  # latencies are counted in buckets 2 % wide: exact enough, and a long run needs no more memory
REACHED = 0.95  # the share of the asked rate below which the verdict says so
BUSY = 0.8  # the share of a core above which the sender itself is likely the limit


class Latencies:
    """Counts durations, and tells their quantiles to within 1 %."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self._buckets[round(math.log(max(seconds, 1e-6)) * BUCKETS_PER_E)] += 1

    def quantile_ms(self, share: float) -> float | None:
        """The latency in milliseconds that `share` (0 … 1) of all do not exceed; None when there are none."""
        left = share * self._buckets.total()
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return round(1000 * math.exp(bucket / BUCKETS_PER_E), 2)
        return None


@dataclass(slots=True)
class Account:
    """One device's account of its readings, which it numbers 1 … `sent` in their field `seq`."""

    sent: int = 0
    acknowledged: int = 0
    refused: set[int] = field(default_factory=set)  # answered with a 4xx, and dropped
    unconfirmed: set[int] = field(default_factory=set)  # given up at the end of the run without an answer
    unanswered: set[int] = field(default_factory=set)  # had at least one try that may be stored though no 2xx came


@dataclass(slots=True)
class Stored:
    """What a device's history says beside its account: numbers of readings."""

    stored: int  # different readings found
    lost: int  # acknowledged, not found
    duplicated: int  # rows beyond the first of a reading
    explained: int  # those of them whose reading had an unanswered try
    stray: int  # rows that are no reading of this run


def compare(account: Account, found: Iterable[object]) -> Stored:
    """`found`: the `seq` of every stored row of the device, in any order; whatever is no sent number is a stray."""
    copies: Counter[int] = Counter()
    stray = 0
    for seq in found:
        if isinstance(seq, int) and 1 <= seq <= account.sent:
            copies[seq] += 1
        else:
            stray += 1
    doubtful = account.refused | account.unconfirmed
    return Stored(
        stored=len(copies),
        lost=sum(1 for seq in range(1, account.sent + 1) if seq not in copies and seq not in doubtful),
        duplicated=copies.total() - len(copies),
        explained=sum(copies[seq] - 1 for seq in account.unanswered if seq in copies),
        stray=stray,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a run, as `--json` writes it. Counts are readings, rates readings a second over the fleet."""

    devices: int
    asked_rate: float
    achieved_rate: float
    seconds: float  # from the first reading to the last acknowledgement
    sent: int
    acknowledged: int
    stored: int
    lost: int
    duplicated: int
    duplicated_explained: int
    stray: int
    refused: int
    unconfirmed: int
    retries: int  # requests
    bricked: list[int]  # integer ids of devices that got a 401
    refusals: dict[str, int]  # the server's sentence → requests it refused
    p50_ms: float | None
    p99_ms: float | None
    sender_cpu: float  # share of one core that this process used while sending
    encrypted: bool
    batch: int
    ids: bool

    @property
    def repeats_are_safe(self) -> bool:
        """True when the server can tell a repeat from a new reading: by message_id, or by nonce."""
        return self.ids or self.encrypted

    @property
    def failures(self) -> list[str]:
        """Why the run did not pass, a sentence each; empty when it did."""
        unexplained = self.duplicated - (0 if self.repeats_are_safe else self.duplicated_explained)
        found = []
        if self.lost:
            found.append(f"Readings acknowledged but not stored: {self.lost:,}.")
        if unexplained:
            found.append(f"Stored rows that repeat a reading and should not: {unexplained:,}.")
        if self.stray:
            found.append(f"Stored rows that are no reading of this run: {self.stray:,}.")
        if self.bricked:
            found.append(f"Devices that got a 401 and erased their key: {len(self.bricked):,}.")
        if self.refused:
            found.append(f"Readings refused and dropped: {self.refused:,}.")
        if not self.acknowledged:
            found.append("No reading was acknowledged.")
        return found

    @property
    def remarks(self) -> list[str]:
        """What a reader of the numbers should know, a sentence each."""
        said = []
        if self.duplicated_explained and not self.repeats_are_safe:
            said.append(
                f"{self.duplicated_explained:,} of {self.duplicated:,} duplicates had a try without an answer: "
                "without --ids the server cannot know a repeat."
            )
        if self.unconfirmed:
            said.append(f"Readings without an answer when the run ended, stored or not: {self.unconfirmed:,}.")
        if self.achieved_rate < REACHED * self.asked_rate:
            limit = (
                "this one process is the limit, not necessarily the server: ask for less, or send batches"
                if self.sender_cpu > BUSY
                else "the sender was waiting for replies"
            )
            said.append(
                f"The asked rate was not reached: {self.achieved_rate:,.0f} of {self.asked_rate:,.0f} a second. "
                f"The sender used {self.sender_cpu:.0%} of a core; {limit}."
            )
        return said

    def as_json(self) -> dict[str, object]:
        """All fields, with `passed`, `failures` and `remarks`."""
        said = {"passed": not self.failures, "failures": self.failures, "remarks": self.remarks}
        return said | dataclasses.asdict(self)
