"""E-mail by a real SMTP server, kind or not."""

import time
from dataclasses import replace

import pytest
from pytest_django import Settings

from alerts.carriers.mail import send
from alerts.carriers.outgoing import Outgoing
from alerts.tests.conftest import mail_by
from tests.support.sinks import SmtpSink, smtp_sink

pytestmark = pytest.mark.sqlite_only

STOP = "https://ozone.example.com/channels/stop/abc/"
MESSAGE = Outgoing("msg_a1", "email", "vera@example.com", b"", "Silent: Übung", "Nothing heard.\n— Ende\n", b"", STOP)


def test_it_works(mailbox: SmtpSink) -> None:
    assert send(MESSAGE).is_sent
    (letter,) = mailbox.letters
    assert (letter["From"], letter["To"]) == ("Ozone <alerts@example.com>", "vera@example.com")
    assert letter["Subject"] == "Silent: Übung"
    assert letter["Message-ID"] == "<msg_a1@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] == f"<{STOP}>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter.get_content().splitlines() == ["Nothing heard.", "— Ende"]


def test_text_and_html_beside_each_other(mailbox: SmtpSink) -> None:
    assert send(replace(MESSAGE, html="<p>Nothing heard.</p>")).is_sent
    (letter,) = mailbox.letters
    assert letter.get_content_type() == "multipart/alternative"
    text, html = letter.iter_parts()
    assert (text.get_content_type(), text.get_content().splitlines()[0]) == ("text/plain", "Nothing heard.")
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", "<p>Nothing heard.</p>")


def test_a_refusal(settings: Settings) -> None:
    with smtp_sink(refuses="452 Too full") as sink:
        mail_by(settings, sink)
        outcome = send(MESSAGE)
    assert (outcome.is_sent, outcome.code) == (False, 452)
    assert outcome.error == "The server refused it: Too full"
    assert not outcome.is_unknown


def test_a_server_that_hangs(settings: Settings) -> None:
    """It has got the message, and may have taken it."""
    settings.EMAIL_TIMEOUT = 1
    with smtp_sink(hangs=True) as sink:
        mail_by(settings, sink)
        began = time.monotonic()
        outcome = send(MESSAGE)
        assert time.monotonic() - began < 8
        assert len(sink.letters) == 1
    assert (outcome.is_sent, outcome.is_unknown) == (False, True)


def test_nobody_there(mailbox: SmtpSink) -> None:
    mailbox.close()
    outcome = send(MESSAGE)
    assert (outcome.is_sent, outcome.is_unknown) == (False, False)
    assert outcome.error.startswith("ConnectionRefusedError")


def test_no_header_is_smuggled_in(mailbox: SmtpSink) -> None:
    """A subject has no line breaks: texts sees to it, and Django refuses one."""
    outcome = send(Outgoing("msg_a1", "email", "vera@example.com", b"", "A\nBcc: all@example.com", "", b"", ""))
    assert not outcome.is_sent
    assert mailbox.letters == []
