"""What sends: one process that leads takes what is due, and threads of their own carry it out.

A thread waits for one other side. No channel has two of them, no host and no person more than A_FEW: whoever hangs
holds up nobody else, and all of them together no device, since no thread has a transaction open while it waits.
"""

import collections
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from prometheus_client import Counter

from alerts.carriers import chat, mail, webhook
from alerts.carriers.outgoing import Outcome, Outgoing
from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.channels.secrets import opened
from alerts.deliveries.claiming import CLAIM, Claim, claim, finish, recover
from alerts.deliveries.reports import due_reports
from alerts.deliveries.retention import prune
from alerts.deliveries.texts import outgoing
from device_gateway.leading import Leading
from ozone.wire.errors import Unavailable

logger = logging.getLogger("alerts")

TRIES: Final = Counter("ozone_messages_total", "Tries to send a message", ["kind", "outcome"])

AT_ONCE: Final = 16
A_FEW: Final = 2
"""Messages under way to one host, or of one person."""
RECOVERED: Final = 5.0
"""Seconds between two looks for claims that have run out."""
REPORTED: Final = 60.0
PRUNED: Final = 600.0
ENDING: Final = 2.0
"""Seconds that what is under way has at the end."""


def carry(message: Outgoing) -> Outcome:
    """By whatever its kind asks for."""
    sends: dict[str, Callable[[Outgoing], Outcome]] = {EMAIL: mail.send, WEBHOOK: webhook.send}
    return sends.get(message.kind, chat.send)(message)


class Sender:
    """`start` and `stop`, in each process that serves: one of them leads."""

    def __init__(self, claim_life: timedelta = CLAIM) -> None:
        self._claim_life = claim_life
        self._leading = Leading("deliveries", self.step)
        self._under_way: dict[int, Claim] = {}
        self._ended: SimpleQueue[tuple[Claim, Outcome]] = SimpleQueue()
        self._next: dict[str, float] = {}

    def start(self) -> None:
        self._leading.start()

    def stop(self) -> None:
        """What is under way has a moment to end; what does not is sent again by the next, marked."""
        self._leading.stop()
        if self._under_way:
            # Whoever stops it may be an event loop, which asks no database.
            last = threading.Thread(target=self._end, name="deliveries-end", daemon=True)
            last.start()
            last.join(ENDING + 1)

    def _end(self) -> None:
        until = monotonic() + ENDING
        try:
            while self._under_way and (wait := until - monotonic()) > 0:
                self._note(*self._ended.get(timeout=wait))
        except (Empty, DatabaseError):
            pass  # it is sent again, and marked
        finally:
            connection.close()

    def step(self) -> bool:
        """Some work; whether there is more."""
        self._note_all()
        now = timezone.now()
        if self._is_time("recover", RECOVERED) and (number := recover(now)):
            logger.warning("deliveries: of %d nobody said what became of them: they are sent again", number)
        if self._is_time("report", REPORTED) and due_reports(now):
            self._next["report"] = 0.0
        if self._is_time("prune", PRUNED) and prune(now):
            self._next["prune"] = 0.0
        return self._send_some(now)

    def _is_time(self, what: str, pause: float) -> bool:
        if monotonic() < self._next.get(what, 0.0):
            return False
        self._next[what] = monotonic() + pause
        return True

    def _send_some(self, now: datetime) -> bool:
        """One message; whether there was any."""
        if len(self._under_way) >= AT_ONCE:
            return False
        for channel in self._wanting(now)[:1]:
            claimed = claim(channel, now, self._claim_life)
            if claimed is not None:
                self._begin(claimed)
            return True
        return False

    def _wanting(self, now: datetime) -> "QuerySet[Channel, int]":
        """Channels with something due, but for those that are waited for enough."""
        under_way = [claimed.channel for claimed in self._under_way.values()]
        hosts = collections.Counter(channel.host for channel in under_way)
        people = collections.Counter(channel.person_id for channel in under_way)
        enough = Q(pk__in=list(self._under_way))
        enough |= Q(host__in=[host for host, number in hosts.items() if number >= A_FEW])
        enough |= Q(person__in=[person for person, number in people.items() if number >= A_FEW])
        return Channel.objects.filter(~enough, wakes_at__lte=now).order_by("wakes_at").values_list("pk", flat=True)

    def _begin(self, claimed: Claim) -> None:
        channel = claimed.channel
        self._under_way[channel.pk] = claimed
        try:
            message = outgoing(claimed, opened(channel))
        except Unavailable as error:
            self._ended.put((claimed, Outcome(False, error=str(error))))
            return
        name = f"delivery-{channel.pk}"
        threading.Thread(target=self._carry, args=(claimed, message), name=name, daemon=True).start()

    def _carry(self, claimed: Claim, message: Outgoing) -> None:
        try:
            outcome = carry(message)
        except Exception:
            logger.exception("a message to channel %d failed unexpectedly", claimed.channel.pk)
            outcome = Outcome(False, error="The server failed on this. It has been logged.", is_unknown=True)
        self._ended.put((claimed, outcome))

    def _note_all(self) -> None:
        while not self._ended.empty():
            self._note(*self._ended.get())

    def _note(self, claimed: Claim, outcome: Outcome) -> None:
        self._under_way.pop(claimed.channel.pk, None)
        TRIES.labels(claimed.channel.kind, "sent" if outcome.is_sent else "failed").inc()
        finish(claimed, outcome, timezone.now())


sender: Final = Sender()
