"""Messages by e-mail, by whatever Django is set up to send it with."""

import smtplib
from typing import Final

from django.core.mail import EmailMultiAlternatives, get_connection

from alerts.carriers.outgoing import Outcome, Outgoing
from alerts.carriers.webhook import said
from ozone.wire.conf import options

TWICE: Final = "Message-ID"
"""The same at every try: a mailbox that got it before can tell."""


def missing_of_email() -> list[str]:
    """The settings without which nobody gets e-mail: a sender at localhost is refused by most servers."""
    given = {
        "EMAIL_HOST": options().EMAIL_HOST,
        "DEFAULT_FROM_EMAIL": options().DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") != "localhost",
    }
    return [name for name, value in given.items() if not value]


def send(message: Outgoing) -> Outcome:
    """One e-mail to one person."""
    sender = options().DEFAULT_FROM_EMAIL
    headers = {
        "Message-ID": f"<{message.id}@{sender.rpartition('@')[2].strip('<> ')}>",
        "Auto-Submitted": "auto-generated",
    }
    if message.stop_url:
        headers["List-Unsubscribe"] = f"<{message.stop_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter = EmailMultiAlternatives(message.subject, message.text, sender, [message.target], headers=headers)
    if message.html:
        letter.attach_alternative(message.html, "text/html")
    is_asked = False
    try:
        connection = get_connection(timeout=options().EMAIL_TIMEOUT)
        connection.open()
        try:
            is_asked = True
            connection.send_messages([letter])
        finally:
            connection.close()
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return Outcome(False, code, f"The server refused the address: {_text(words)}")
    except smtplib.SMTPResponseException as error:
        return Outcome(False, error.smtp_code, f"The server refused it: {_text(error.smtp_error)}")
    except (OSError, ValueError) as error:  # those of smtplib are OSErrors
        return Outcome(False, error=said(error), is_unknown=is_asked)
    return Outcome(True)


def _text(words: bytes | str) -> str:
    return (words.decode(errors="replace") if isinstance(words, bytes) else words)[:200]
