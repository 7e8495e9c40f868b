"""Polls that wait for a command, without a thread or a query each.

A seat is a future on the event loop. It ends when its device has a command (made in this process, or seen by the
watcher), when a newer poll of the device takes the seat, when the time is up, when the caller has hung up, or when the
server is told to end.
"""

import asyncio
import signal
import threading
from collections.abc import Iterable
from enum import Enum
from typing import Any

from device_gateway.gate import Receive


class End(Enum):
    """Why a seat was left."""

    COMMAND = "command"
    DONE = "done"
    """The time is up, a newer poll came, or the server ends: an empty reply."""
    HUNG_UP = "hung up"


class Seat:
    """A place in the waiting room, for one held poll. Used on its event loop only, but for `end_soon`."""

    __slots__ = ("_called", "_ended", "_listening", "_timer", "_waiting", "device", "loop")

    def __init__(self, device: int, seconds: float, receive: Receive) -> None:
        self.device = device
        self.loop = asyncio.get_running_loop()
        self._called = False
        self._ended: End | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._timer = self.loop.call_later(seconds, self.end, End.DONE)
        self._listening = self.loop.create_task(self._listen(receive))

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end(End.HUNG_UP)

    async def wait(self) -> End:
        """Until something happens. After COMMAND one may wait again; any other end is the last."""
        if not self._called and self._ended is None:
            self._waiting = self.loop.create_future()
            await self._waiting
        self._called = False
        return self._ended or End.COMMAND

    def end(self, why: End) -> None:
        if why is End.COMMAND:
            self._called = True
        else:
            self._ended = self._ended or why
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def end_soon(self, why: End) -> None:
        """From any thread."""
        self.loop.call_soon_threadsafe(self.end, why)

    def leave(self) -> None:
        self._timer.cancel()
        self._listening.cancel()


class WaitingRoom:
    """Who waits in this process, by device."""

    def __init__(self) -> None:
        self._seats: dict[int, Seat] = {}
        self._closing = False

    def sit(self, device: int, seconds: float, receive: Receive) -> Seat:
        """A seat for a held poll; the device's older one ends empty."""
        older = self._seats.get(device)
        if older is not None:
            older.end_soon(End.DONE)
        seat = self._seats[device] = Seat(device, 0 if self._closing else seconds, receive)
        return seat

    def rise(self, seat: Seat) -> None:
        if self._seats.get(seat.device) is seat:
            del self._seats[seat.device]
        seat.leave()

    @property
    def is_empty(self) -> bool:
        return not self._seats

    def wake(self, devices: Iterable[int]) -> None:
        """There is a command for each of the devices. From any thread."""
        for device in devices:
            seat = self._seats.get(device)
            if seat is not None:
                seat.end_soon(End.COMMAND)

    def close(self, *_: Any) -> None:
        """Lets everybody go with an empty reply, now and from now on: the server has been told to end."""
        self._closing = True
        for seat in list(self._seats.values()):
            seat.end_soon(End.DONE)

    def close_at_sigterm(self) -> None:
        """Beside what the server itself does then. Does nothing outside the main thread (tests)."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            # The event loop's own handlers hear of a signal through its wake-up descriptor, whatever stands here.
            signal.signal(number, self.close)


room = WaitingRoom()
