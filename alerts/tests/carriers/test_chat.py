"""Chats by apprise: bounded in where it connects, and in what it does here."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings

from alerts.carriers import chat
from alerts.carriers.chat import examined, send
from alerts.carriers.outgoing import Outgoing
from tests.support.sinks import HttpSink

pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[3]


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


ASKING = """
import django, sys
django.setup()
from django.conf import settings
settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
from alerts.carriers.chat import send
from alerts.tests.carriers.test_chat import message
send(message(sys.argv[1]))
"""


def test_it_does_not_outlive_who_asked(sink: HttpSink) -> None:
    """A worker that is killed leaves nothing behind."""
    asking = psutil.Popen(
        [sys.executable, "-c", ASKING, f"json://127.0.0.1:{sink.port}/hang?rto=300"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
    )
    assert sink.arrived.wait(60)
    (process,) = asking.children()
    asking.kill()
    asking.wait(10)
    assert psutil.wait_procs([process], timeout=30)[1] == []


ATTEMPTS = """
import os, socket, subprocess, sys, tempfile
from ipaddress import ip_address
from alerts.carriers.chat_process import Refused, guarding
import json, apprise, requests

inside = apprise.__file__
attempts = {
    "file": lambda: open("/etc/passwd"),
    "new file": lambda: open(os.path.join(tempfile.gettempdir(), "of-a-chat"), "w"),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "address": lambda: socket.socket().connect(("127.0.0.1", 9)),
    "name": lambda: socket.socket().connect(("localhost", 9)),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "socket file": lambda: socket.socket(socket.AF_UNIX).connect("/run/of-a-chat"),
    "listening": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "own": lambda: open(inside),
}
sys.addaudithook(guarding(lambda address: False))
for name, attempt in attempts.items():
    try:
        attempt()
    except Refused:
        print(name)
    except Exception as error:
        print(name, repr(error))
"""


def test_what_an_address_may_not_make_it_do() -> None:
    done = subprocess.run([sys.executable, "-c", ATTEMPTS], cwd=ROOT, capture_output=True, text=True, timeout=300)
    refused = ["file", "new file", "program", "shell", "address", "name", "datagram", "socket file", "listening"]
    assert (done.stdout.splitlines(), done.stderr) == (refused, "")


def test_an_address_is_shown_without_its_secret() -> None:
    found = examined("tgram://123456789:ABCdefGHIjkl/987654321/")
    assert found["ok"]
    assert found["shown"].startswith("tgram://1...l/987654321/")
    assert "ABCdef" not in found["shown"]


def test_what_is_no_address() -> None:
    assert examined("nonsense://") == {"ok": False, "error": "apprise cannot read this address."}
