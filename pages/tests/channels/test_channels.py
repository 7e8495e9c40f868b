"""One's own channels as pages: added, verified, changed, tried, deleted, and what went out."""

import re
from typing import Any, Final

import pytest
from django.test import Client
from pytest_django import Settings

from alerts.channels.codes import code_of
from alerts.channels.models import Channel
from alerts.deliveries.models import Delivery
from pages.tests.conftest import SignIn
from pages.tests.forms import filled_in
from pages.tests.onlooker import text
from telemetry.tests.cast import NOON, Site

LIST: Final = "/channels/"
ADD: Final = "/channels/add/"
HOOK: Final = {"kind": "webhook", "target": "https://example.com/hook", "name": "Siren"}


def add(client: Client, **fields: Any) -> Any:
    return client.post(ADD, filled_in(client, ADD, **{**HOOK, **fields}))


def channel_of(site: Site) -> Channel:
    return Channel.objects.get(person=site.vera.user)


def do(client: Client, path: str, **fields: Any) -> Any:
    return client.post(path, filled_in(client, path, **fields))


def words(client: Client) -> str:
    return text(client.get(LIST).content.decode())


def test_a_webhook_is_added_verified_and_tried(site: Site, owner: Client) -> None:
    assert "Nobody tells you anything yet." in words(owner)
    reply = add(owner, quiet_from="22:00", quiet_until="07:00", reports="both", conditions=["silent"])
    assert re.search(r"whsec_[A-Za-z0-9+/=]{20,}", reply.content.decode())
    channel = channel_of(site)
    assert "Siren Webhook, https://example.com/hook not verified yet silent, at once" in words(owner)
    assert "whsec_" not in owner.get(LIST).content.decode()
    path = f"{LIST}{channel.pk}/verify/"
    wrong = do(owner, path, code="0")
    assert (wrong.status_code, "That is not the code" in wrong.content.decode()) == (400, True)
    assert do(owner, path, code=code_of(channel)).status_code == 302
    assert do(owner, f"{LIST}{channel.pk}/test/").status_code == 302
    assert "quiet from 22:00 until 07:00; reports each morning and on mondays" in words(owner)
    assert "channel.test waits to be sent Siren" in words(owner)
    again = do(owner, f"{LIST}{channel.pk}/test/")
    assert (again.status_code, "One test message a minute." in again.content.decode()) == (429, True)


def test_what_e_mail_lacks_is_said(site: Site, owner: Client, settings: Settings) -> None:
    said = "E-mail does not work here yet: whoever runs this server sets"
    assert f"{said} EMAIL_HOST and DEFAULT_FROM_EMAIL" in words(owner)
    settings.EMAIL_HOST = "mail.example.com"
    assert f"{said} DEFAULT_FROM_EMAIL" in words(owner)
    settings.DEFAULT_FROM_EMAIL = "Ozone <alerts@example.com>"
    assert said not in words(owner)


def test_it_is_changed_stopped_and_started_again(site: Site, owner: Client) -> None:
    add(owner)
    channel = channel_of(site)
    path = f"{LIST}{channel.pk}/edit/"
    assert do(owner, path, when="escalated", outlets=[str(site.outlet.pk)]).status_code == 302
    channel.refresh_from_db()
    assert (channel.after_minutes, channel.outlets, channel.incidents) == (None, [site.outlet.pk], True)
    assert f"all incidents, when nobody else has taken it up; at {site.outlet.name}" in words(owner)
    assert do(owner, path, when="").status_code == 302
    channel.refresh_from_db()
    assert (channel.incidents, channel.outlets) == (False, [site.outlet.pk])
    Channel.objects.update(stopped_at=NOON, verified_at=NOON)
    assert " stopped " in words(owner)
    assert do(owner, path, name="Horn").status_code == 302
    assert "Horn Webhook, https://example.com/hook active" in words(owner)
    assert do(owner, f"{LIST}{channel.pk}/delete/").status_code == 302
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "http://10.0.0.1/"}, "10.0.0.1"),
        ({"target": "nowhere"}, "An address such as https://example.com/hook"),
        ({"quiet_from": "22:00"}, "Two different times, or none."),
        ({"quiet_from": "late", "quiet_until": "7:00"}, "Enter a valid time."),
        ({"kind": "pigeon"}, "pigeon is not one of the available choices"),
        ({"outlets": ["999999"]}, "999999 is not one of the available choices"),
    ],
)
def test_what_is_no_channel_says_why(site: Site, owner: Client, fields: dict[str, Any], said: str) -> None:
    assert said in text(add(owner, **fields).content.decode())
    assert not Channel.objects.exists()


def test_another_code_and_no_more_than_three(site: Site, owner: Client) -> None:
    add(owner)
    channel = channel_of(site)
    first = code_of(channel)
    path = f"{LIST}{channel.pk}/code/"
    assert do(owner, path).status_code == 302
    channel.refresh_from_db()
    assert code_of(channel) != first
    assert [do(owner, path).status_code for _ in range(2)] == [302, 429]


def test_others_have_no_part_in_it(site: Site, owner: Client, staff: Client, signed_in: SignIn) -> None:
    """Staff read what went out, without the address."""
    add(owner)
    channel = channel_of(site)
    Delivery.objects.update(state=Delivery.State.FAILED, error="No route to host")
    row = Delivery.objects.get()
    for word in ("edit", "verify", "code", "test", "delete"):
        assert staff.get(f"{LIST}{channel.pk}/{word}/").status_code == 404
    assert staff.get(f"/deliveries/{row.pk}/replay/").status_code == 404
    assert "channel.verify given up Siren vera No route to host" in words(staff)
    assert "example.com" not in staff.get(LIST).content.decode()
    assert site.mallory.user
    assert "Siren" not in words(signed_in(site.mallory.user))


def test_what_went_out_is_sent_once_more(site: Site, owner: Client) -> None:
    add(owner)
    Channel.objects.update(verified_at=NOON)
    Delivery.objects.update(type="channel.test", state=Delivery.State.SENT, next_try=None, attempts=1)
    row = Delivery.objects.get()
    assert do(owner, f"/deliveries/{row.pk}/replay/").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert do(owner, f"/deliveries/{row.pk}/replay/").status_code == 409
