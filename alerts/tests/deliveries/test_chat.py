"""Chats by apprise: bounded in where it connects, and in what it does here."""

import pytest
from pytest_django import Settings

from alerts.deliveries import chat
from alerts.deliveries.chat import examined, send
from alerts.deliveries.outgoing import Outgoing
from tests.support.sinks import HttpSink

pytestmark = pytest.mark.sqlite_only


def message(address: str) -> Outgoing:
    return Outgoing("msg_a1", "ntfy", "", address.encode(), "Silent", "Nothing heard.", b"", "")


def test_it_works(sink: HttpSink) -> None:
    assert send(message(f"ntfy://127.0.0.1:{sink.port}/alerts")).is_sent
    (post,) = sink.posts
    assert post.json() == {"topic": "alerts", "title": "Silent", "message": "Nothing heard."}


def test_not_into_this_network(sink: HttpSink, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    outcome = send(message(f"ntfy://localhost:{sink.port}/alerts"))
    assert "no public address" in outcome.error
    assert sink.posts == []


def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    assert not send(message(f"json://127.0.0.1:{sink.port}/redirect")).is_sent
    assert [post.path for post in sink.posts] == ["/redirect"]


def test_it_ends_in_time(sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of it is left behind."""
    monkeypatch.setattr(chat, "SECONDS", 6.0)
    outcome = send(message(f"json://127.0.0.1:{sink.port}/hang?rto=60&retry=5&wait=60"))
    assert (outcome.is_sent, outcome.is_unknown) == (False, True)
    assert "did not answer within" in outcome.error


def test_an_address_is_shown_without_its_secret() -> None:
    found = examined("tgram://123456789:ABCdefGHIjkl/987654321/")
    assert found["ok"]
    assert found["shown"].startswith("tgram://1...l/987654321/")
    assert "ABCdef" not in found["shown"]


def test_what_is_no_address() -> None:
    assert examined("nonsense://") == {"ok": False, "error": "apprise cannot read this address."}
