"""Adding a chat: its address is looked at by a program, for which nobody else waits."""

from threading import Event, Thread
from typing import Any

import pytest
import time_machine
from django.db import connection
from pytest_django import Settings

from alerts.carriers import chat
from telemetry.tests.cast import NOON, Site

CHANNELS = "/api/channels/"
CHAT = {"kind": "tgram", "target": "tgram://123456789:ABCdefGHIjkl/987654321/"}


@pytest.fixture
def site(transactional_db: None, settings: Settings) -> Any:
    settings.ALERT_CHANNEL_KINDS = ["tgram"]
    with time_machine.travel(NOON, tick=False):
        yield Site.make()


def test_nothing_is_locked_and_nobody_waits_meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite a transaction keeps all devices from writing."""
    begun, ended = Event(), Event()
    was_locked: list[bool] = []
    answers: list[int] = []

    def ask(asked: dict[str, Any]) -> dict[str, Any]:
        was_locked.append(connection.in_atomic_block)
        begun.set()
        assert ended.wait(30)
        return {"ok": True, "shown": "tgram://...l/987654321/"}

    def add() -> None:
        answers.append(site.vera.post(CHANNELS, CHAT).status)
        connection.close()

    monkeypatch.setattr(chat, "_ask", ask)
    first = Thread(target=add)
    first.start()
    try:
        assert begun.wait(30)
        second = site.olga.post(CHANNELS, CHAT)
        assert second.status == 503
        assert second.headers["retry-after"].isdigit()
        assert site.vera.post(CHANNELS, {"kind": "email", "target": "x"}).status == 400
    finally:
        ended.set()
        first.join(30)
    assert (answers, was_locked) == ([201], [False])
