"""Work that one process does for all: the one that holds its lease, a row that it renews. Where it does not, another
takes over.

    follower = Leading("ledger", step)
    follower.start()    # in each process that serves
    follower.stop()     # at its end: the next takes over at once

`step` does some of the work, in the leader's thread and by its own connection, and says whether there is more.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, connection, models
from django.db.models import Q
from django.db.models.functions import Now

from ozone.intake.sql import keep_no_log
from ozone.intake.standing import standing
from ozone.wire.errors import ApiError
from ozone.wire.work import computing

logger = logging.getLogger("ozone.leading")

LEASE: Final = timedelta(seconds=8)
"""Another leads within ten seconds, also where looking for it takes one."""
RENEWED: Final = 3.0
"""Seconds after which it is renewed."""
LOOK: Final = 0.5
"""Seconds between two looks, of the leader for work, of the others for the lease."""
TROUBLE: Final = 2.0
"""Seconds until the next try after a failure."""
PAUSE: Final = 1.0
"""After a step there is a pause that is so many times as long, unless told: devices and people come first."""


class Lease(models.Model):
    name = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=32)
    until = models.DateTimeField()
    """By the database's own clock: those of several servers differ."""

    class Meta:
        app_label = "device_gateway"

    def __str__(self) -> str:
        return f"{self.name} until {self.until}"

    @classmethod
    def take(cls, name: str, holder: str) -> bool:
        """Takes or renews it, if nobody else has it. A clock that was set back leaves none that nobody can take."""
        mine = {"holder": holder, "until": Now() + LEASE}
        is_free = Q(holder=holder) | Q(until__lt=Now()) | Q(until__gt=Now() + 2 * LEASE)
        if cls.objects.filter(is_free, name=name).update(**mine):
            return True
        if cls.objects.filter(name=name).exists():
            return False
        Lease.objects.bulk_create([Lease(name=name, **mine)], ignore_conflicts=True)
        return cls.objects.filter(name=name, holder=holder).exists()

    @classmethod
    def give_back(cls, name: str, holder: str) -> None:
        cls.objects.filter(name=name, holder=holder).update(until=Now() - LEASE)


class Leading:
    """The thread of one process that does the work while it leads."""

    def __init__(self, name: str, step: Callable[[], bool], *, pause: float = PAUSE) -> None:
        self._name = name
        self._step = step
        self._pause = pause
        self._holder = uuid4().hex
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = float("-inf")

    def start(self) -> None:
        self._end.clear()
        self._thread = threading.Thread(target=self._run, name=f"leading-{self._name}", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Ends after the step under way."""
        thread, self._thread = self._thread, None
        self._end.set()
        if thread is not None:
            thread.join(timeout)

    @property
    def leads(self) -> bool:
        return time.monotonic() - self._renewed < LEASE.total_seconds() - RENEWED

    def _run(self) -> None:
        keep_no_log(connection)
        pause = 0.0
        while not self._end.wait(pause):
            try:
                pause = self._turn()
            except ApiError:
                pause = TROUBLE  # the database is not the one that was opened: the log says so
            except (DatabaseError, InterfaceError) as error:
                logger.warning("%s: the database fails, it is tried again: %s", self._name, error)
                pause = TROUBLE
                connection.close()
            except Exception:
                logger.exception("%s: unexpected failure, it goes on", self._name)
                pause = TROUBLE
        with suppress(Exception):
            Lease.give_back(self._name, self._holder)
        connection.close()

    def _turn(self) -> float:
        """Some work, if this process leads; seconds until the next."""
        standing.check(connection)
        if time.monotonic() - self._renewed >= RENEWED:
            if not Lease.take(self._name, self._holder):
                return LOOK * 2
            self._renewed = time.monotonic()
        began = time.monotonic()
        with computing:
            has_more = self._step()
        return max((time.monotonic() - began) * self._pause, 0.001) if has_more else LOOK
