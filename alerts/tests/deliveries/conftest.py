"""Servers that take messages, on this machine."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.support.sinks import HttpSink, SmtpSink, http_sink, smtp_sink


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
