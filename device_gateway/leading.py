"""Work that one process does for all: the one that holds its lease, a row that it renews. Where it does not, another
takes over.

    follower = Leading("ledger", step)
    follower.start()    # in each process that serves
    follower.stop()     # at its end: the next takes over at once

`step` does some of the work, in the one thread that does all such work of a process, by its own connection, and says
whether there is more.
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

MOVE: Final = "move_in"
"""The lease of a move under way: what is worked out of a past waits until all of it has come."""

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
    def is_taken(cls, name: str) -> bool:
        """By whomever."""
        return cls.objects.filter(name=name, until__gt=Now()).exists()

    @classmethod
    def give_back(cls, name: str, holder: str) -> None:
        cls.objects.filter(name=name, holder=holder).update(until=Now() - LEASE)


class Leading:
    """Work of this process, done while it holds the lease of that name. All of it is done by one thread and over one
    connection, in turn: a step is to be short."""

    def __init__(self, name: str, step: Callable[[], bool], *, pause: float = PAUSE) -> None:
        self.due = 0.0
        """When it has its next turn, by the monotonic clock."""
        self.is_to_end = False
        self._name = name
        self._step = step
        self._pause = pause
        self._holder = uuid4().hex
        self._renewed = float("-inf")

    def start(self) -> None:
        self.due, self.is_to_end = 0.0, False
        _turns.begin(self)

    def stop(self, timeout: float = 2.0) -> None:
        """Ends after the step under way."""
        _turns.end(self, timeout)

    def turn(self) -> None:
        """Some work, if this process leads; sets when it is due again. A failure is logged."""
        try:
            wait = self._turn()
        except ApiError:
            wait = TROUBLE  # the database is not the one that was opened: the log says so
        except (DatabaseError, InterfaceError) as error:
            logger.warning("%s: the database fails, it is tried again: %s", self._name, error)
            wait = TROUBLE
            connection.close()
        except Exception:
            logger.exception("%s: unexpected failure, it goes on", self._name)
            wait = TROUBLE
        self.due = time.monotonic() + wait

    def give_back(self) -> None:
        with suppress(Exception):
            Lease.give_back(self._name, self._holder)
        self._renewed = float("-inf")

    def _turn(self) -> float:
        """Seconds until the next."""
        standing.check(connection)
        if time.monotonic() - self._renewed >= RENEWED:
            if not Lease.take(self._name, self._holder):
                return LOOK * 2
            self._renewed = time.monotonic()
        began = time.monotonic()
        with computing:
            has_more = self._step()
        return max((time.monotonic() - began) * self._pause, 0.001) if has_more else LOOK


class _Turns:
    """The thread of this process that does the work, whose turn it is first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._works: list[Leading] = []
        self._thread: threading.Thread | None = None

    def begin(self, work: Leading) -> None:
        with self._changed:
            if work not in self._works:
                self._works.append(work)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leading", daemon=True)
                self._thread.start()

    def end(self, work: Leading, timeout: float) -> None:
        with self._changed:
            thread = self._thread
            work.is_to_end = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: work not in self._works, timeout)
            is_last = self._thread is not thread
        if is_last and thread is not None:
            thread.join(timeout)  # its connection is closed then

    def _run(self) -> None:
        keep_no_log(connection)
        while (work := self._next()) is not None:
            if not work.is_to_end:
                work.turn()
                continue
            work.give_back()
            with self._changed:
                self._works.remove(work)
                if not self._works:
                    self._thread = None  # whoever begins something from now on starts another
                self._changed.notify_all()
        connection.close()

    def _next(self) -> Leading | None:
        """Waits for it. None: there is none any more."""
        with self._changed:
            while self._works:
                ending = [work for work in self._works if work.is_to_end]
                work = ending[0] if ending else min(self._works, key=lambda work: work.due)
                wait = 0.0 if ending else work.due - time.monotonic()
                if wait <= 0:
                    return work
                self._changed.wait(wait)
            return None


_turns: Final = _Turns()
