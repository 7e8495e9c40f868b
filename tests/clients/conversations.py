"""The Python client's side of a conversation, without a network and with a clock that only the test moves."""

from pathlib import Path
from typing import Any

from ozone_telemetry_client import Queue, Settings
from ozone_telemetry_client.conversation import Answer, Conversation

from tests.clients.devices import MAC


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def conversation(folder: Path, clock: Clock, **settings: Any) -> Conversation:
    return Conversation(Queue(folder / "queue.sqlite3"), Settings(mac=MAC, **settings), clock)


def welcome(talk: Conversation, *, assigned: bool = True) -> None:
    request = talk.next_request()
    assert request is not None and request.path == "/api/handshake/"
    talk.answered(request, Answer(200, {"device_id": "m1", "token": "secret-token", "assigned": assigned}))
