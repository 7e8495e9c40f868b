from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from pytest_django import Settings

from alerts.tests.fleet import IDLE, NOON, Fleet
from tests.support.sinks import HttpSink, SmtpSink, http_sink, smtp_sink


@pytest.fixture
def fleet(db: None, settings: Any) -> Iterator[Callable[..., Fleet]]:
    settings.STATUS_IDLE_SECONDS = IDLE.total_seconds()
    made: list[Fleet] = []

    def make(*machines: int, start: datetime = NOON) -> Fleet:
        made.append(Fleet(*machines, start=start))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def sink(settings: Settings) -> Iterator[HttpSink]:
    """An HTTP server that may be reached."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with http_sink() as sink:
        yield sink


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[SmtpSink]:
    """An SMTP server that this one sends by."""
    with smtp_sink() as sink:
        mail_by(settings, sink)
        yield sink


def mail_by(settings: Settings, sink: SmtpSink) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.DEFAULT_FROM_EMAIL = "Ozone <alerts@example.com>"
