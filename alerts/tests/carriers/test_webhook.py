"""A webhook by the letter of Standard Webhooks, to a real server that is kind or not."""

import base64
import hashlib
import hmac
import time

import pytest
from pytest_django import Settings

from alerts.carriers import webhook
from alerts.carriers.outgoing import Outgoing
from alerts.carriers.webhook import send, shown_secret, signature
from tests.support.sinks import HttpSink

pytestmark = pytest.mark.sqlite_only

SECRET = bytes(range(24))
BODY = '{"type":"incident.opened","timestamp":"2026-01-01T00:00:00Z","data":{"name":"Übung"}}'.encode()


def message(target: str) -> Outgoing:
    return Outgoing("msg_a1", "webhook", target, SECRET, "Subject", "Text", BODY, "")


def test_it_works(sink: HttpSink) -> None:
    before = int(time.time())
    outcome = send(message(sink.url("/ok/hook?a=b%20c")))
    assert (outcome.is_sent, outcome.code, outcome.error) == (True, 200, "")
    (post,) = sink.posts
    assert (post.path, post.body) == ("/ok/hook?a=b%20c", BODY)
    assert post.headers["host"] == f"127.0.0.1:{sink.port}"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == "msg_a1"
    stamp = post.headers["webhook-timestamp"]
    assert before <= int(stamp) <= int(time.time())
    # As the receiver's side of the standard works it out, from the secret as it is shown.
    key = base64.b64decode(shown_secret(SECRET).removeprefix("whsec_"))
    signed = hmac.new(key, b"msg_a1." + stamp.encode() + b"." + BODY, hashlib.sha256).digest()
    assert post.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()


def test_the_signature_of_the_standards_own_example() -> None:
    """From the specification's test vector."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    outcome = send(message(sink.url("/redirect")))
    assert (outcome.is_sent, outcome.code) == (False, 302)
    assert [post.path for post in sink.posts] == ["/redirect"]


@pytest.mark.parametrize(("code", "is_gone"), [(400, False), (410, True), (500, False), (503, False)])
def test_what_is_no_success(sink: HttpSink, code: int, is_gone: bool) -> None:
    outcome = send(message(sink.url(f"/status/{code}")))
    assert (outcome.is_sent, outcome.code, outcome.is_gone, outcome.is_unknown) == (False, code, is_gone, False)
    assert outcome.retry_after == 7


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_it_ends_in_time(sink: HttpSink, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the other side keeps it waiting: all together, not each byte."""
    monkeypatch.setattr(webhook, "SECONDS", 0.6)
    began = time.monotonic()
    outcome = send(message(sink.url(path)))
    assert time.monotonic() - began < 5
    assert (outcome.is_sent, outcome.code, outcome.is_unknown) == (False, None, True)
    assert "did not answer within" in outcome.error


def test_an_answer_without_end_is_not_read(sink: HttpSink) -> None:
    began = time.monotonic()
    assert send(message(sink.url("/huge"))).is_sent
    assert time.monotonic() - began < 5


def test_nobody_there(sink: HttpSink) -> None:
    sink.close()
    outcome = send(message(sink.url("/ok")))
    assert (outcome.is_sent, outcome.code, outcome.is_unknown) == (False, None, False)
    assert outcome.error.startswith("ConnectionRefusedError")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"])
def test_not_into_this_network(sink: HttpSink, settings: Settings, host: str) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    outcome = send(message(sink.url("/ok", host)))
    assert "no public address" in outcome.error
    assert sink.posts == []


def test_no_proxy_of_the_environment(sink: HttpSink, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would connect wherever it is told to, for anybody."""
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, sink.url(""))
    send(message("http://127.0.0.1:9/ok"))
    assert sink.posts == []
