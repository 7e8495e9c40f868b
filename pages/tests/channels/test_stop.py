"""The link in messages that stops them, for whoever reads them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.channels.codes import stop_token
from alerts.channels.models import Channel
from alerts.tests.telling import channel, incident, states, tell

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


@pytest.fixture
def to() -> Channel:
    return channel(User.objects.create_user("olga", is_staff=True), timezone.now(), name="Mine")


def path(of: Channel) -> str:
    return f"/channels/stop/{stop_token(of)}/"


def test_it_works(to: Channel, client: Client) -> None:
    tell(incident(timezone.now()), timezone.now())
    asked = client.get(path(to))
    assert (asked.status_code, Channel.objects.get().stopped) == (200, False)
    assert "Stop these messages?" in asked.content.decode()
    assert "Mine" in asked.content.decode() and to.target not in asked.content.decode()
    done = client.post(path(to))
    assert done.status_code == 200
    assert "No more messages" in done.content.decode()
    to.refresh_from_db()
    assert to.stopped
    assert [state for _, state in states()] == ["dropped"]
    assert "No more messages" in client.get(path(to)).content.decode()


def test_as_mail_programs_do_it(to: Channel) -> None:
    """RFC 8058: a POST by the mail provider's own server, without cookie, origin or form key."""
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path(to), {"List-Unsubscribe": "One-Click"}).status_code == 200
    to.refresh_from_db()
    assert to.stopped


def test_a_link_that_was_changed(to: Channel, client: Client) -> None:
    other = channel(to.person, timezone.now(), target="other@example.com")
    good, theirs = stop_token(to), stop_token(other)
    for token in (good[:-1], good.partition(":")[0], f"{theirs.partition(':')[0]}:{good.partition(':')[2]}", "x"):
        assert client.post(f"/channels/stop/{token}/").status_code == 404
    assert not Channel.objects.filter(stopped_at__isnull=False).exists()


def test_of_a_channel_that_is_gone(to: Channel, client: Client) -> None:
    link = path(to)
    to.delete()
    assert client.get(link).status_code == 404
