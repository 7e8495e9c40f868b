"""A device on the network: a thread's loop, or a task's."""

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx

from ozone_telemetry_client.conversation import Answer, Conversation, Request, Settings, State
from ozone_telemetry_client.queue import Queue, QueueFailed

_LONGEST_PAUSE = 1.0
_LONGEST_RETRY_AFTER = 3600.0
_GOODBYE = 2.0
"""Seconds that the end waits for an answer; a poll may be held for longer."""


class _Speaks:
    """What both loops say of a device."""

    def __init__(self, url: str, queue: Queue, settings: Settings) -> None:
        self._url = url.rstrip("/")
        self._conversation = Conversation(queue, settings)
        self._trouble = ""
        self.queue = queue

    @property
    def state(self) -> State:
        return self._conversation.state

    @property
    def why(self) -> str:
        """A sentence for a display or a log; never a secret."""
        return self._trouble or self._conversation.why

    def _next(self) -> Request | None:
        """None, too, while not even the queue can be read."""
        try:
            request = self._conversation.next_request()
        except QueueFailed as problem:
            self._trouble = str(problem)
            return None
        self._trouble = ""
        return request

    def _answered(self, request: Request, answer: Answer) -> None:
        try:
            self._conversation.answered(request, answer)
        except QueueFailed as problem:
            self._conversation.failed(request, problem)

    def _pause(self) -> float:
        """Seconds until there may be something to do."""
        try:
            return min(self._conversation.due_in(), _LONGEST_PAUSE)
        except QueueFailed:
            return _LONGEST_PAUSE

    @property
    def device_id(self) -> str | None:
        return self._conversation.device_id


def _arguments(request: Request) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {request.token}"} if request.token else {}
    content = None
    if request.body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(request.body, ensure_ascii=False, allow_nan=False).encode()
    return {"headers": headers, "content": content, "timeout": request.timeout}


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    waits = response.headers.get("Retry-After", "")
    return Answer(response.status_code, body, min(float(waits), _LONGEST_RETRY_AFTER) if waits.isdecimal() else 0.0)


_NONE = Answer(0, None)


class Device(_Speaks):
    """One device, in threads. `verify`: as httpx's, a CA file's context to pin one.

        with Device("https://telemetry.example", Queue("queue.sqlite3"), Settings(mac="EC:E3:34:46:2B:C0")) as device:
            device.press("BASIC", 7)

    Inside `with` a thread of its own sends; without it, call `step()` from your loop.
    """

    def __init__(self, url: str, queue: Queue, settings: Settings, *, verify: Any = True) -> None:
        super().__init__(url, queue, settings)
        self._http = httpx.Client(verify=verify)
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def press(self, treatment: str, counter: int, counters: Mapping[str, int] | None = None) -> str:
        """The press's event_id. It is on disk; QueueFull, QueueFailed, ValueError: it is not."""
        identifier = self._conversation.press(treatment, counter, counters)
        self._wake.set()
        return identifier

    def reading(self, values: Mapping[str, Any]) -> str:
        """The reading's message_id. It is on disk; QueueFull, QueueFailed, ValueError: it is not."""
        identifier = self._conversation.reading(values)
        self._wake.set()
        return identifier

    def step(self) -> bool:
        """One request and its answer; False when there was nothing to do, or the queue's disk let nothing be done."""
        request = self._next()
        if request is None:
            return False
        try:
            answer = _answer(self._http.request(request.method, f"{self._url}{request.path}", **_arguments(request)))
        except httpx.HTTPError:
            answer = _NONE
        self._answered(request, answer)
        return True

    def send_all(self, seconds: float) -> bool:
        """Works until the queue is empty, for a script that ends; False when it is not after that time."""
        end = time.monotonic() + seconds
        while len(self.queue) and time.monotonic() < end:
            if not self.step():
                time.sleep(min(self._pause(), 0.05))
        return not len(self.queue)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="ozone-device", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_GOODBYE)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            if not self.step():
                self._wake.wait(self._pause())
        self._http.close()


class AsyncDevice(_Speaks):
    """The same for an event loop: `await device.run()` in a task of its own; cancel it to end."""

    def __init__(self, url: str, queue: Queue, settings: Settings, *, verify: Any = True) -> None:
        super().__init__(url, queue, settings)
        self._verify = verify
        self._wake = asyncio.Event()

    async def press(self, treatment: str, counter: int, counters: Mapping[str, int] | None = None) -> str:
        """The press's event_id. It is on disk; QueueFull, QueueFailed, ValueError: it is not."""
        identifier = await asyncio.to_thread(self._conversation.press, treatment, counter, counters)
        self._wake.set()
        return identifier

    async def reading(self, values: Mapping[str, Any]) -> str:
        """The reading's message_id. It is on disk; QueueFull, QueueFailed, ValueError: it is not."""
        identifier = await asyncio.to_thread(self._conversation.reading, values)
        self._wake.set()
        return identifier

    async def run(self) -> None:
        async with httpx.AsyncClient(verify=self._verify) as http:
            while True:
                self._wake.clear()
                request = await asyncio.to_thread(self._next)
                if request is None:
                    try:
                        async with asyncio.timeout(self._pause()):
                            await self._wake.wait()
                    except TimeoutError:
                        continue
                    continue
                try:
                    response = await http.request(request.method, f"{self._url}{request.path}", **_arguments(request))
                    answer = _answer(response)
                except httpx.HTTPError:
                    answer = _NONE
                await asyncio.to_thread(self._answered, request, answer)
