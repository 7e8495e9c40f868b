"""What is said: to people as text, to machines as JSON."""

from html.parser import HTMLParser
from typing import Any

import pytest
from pytest_django import Settings

from alerts.carriers.outgoing import Outcome, Outgoing
from alerts.channels.codes import code_of
from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.deliveries.claiming import GATHER
from alerts.deliveries.models import VERIFY, Delivery
from alerts.deliveries.texts import outgoing
from alerts.incidents.happening import ACKNOWLEDGED, ENDED, ESCALATED, OPENED, REMINDED
from alerts.incidents.models import Incident
from alerts.subscriptions.services import add
from alerts.tests.telling import GOOD, channel, incident, send, tell
from ozone.wire import jsonio
from telemetry.tests.cast import HOUR, NOON, Site

DUE = NOON + GATHER


@pytest.fixture
def site(db: None, settings: Settings) -> Site:
    settings.PUBLIC_URL = "https://ozone.example.com/"
    settings.STATS_TIME_ZONE = "Asia/Singapore"
    return Site.laid()


def message(of: Channel, outcome: Outcome = GOOD) -> Outgoing:
    found = send(of, DUE, outcome)
    assert found is not None
    return outgoing(found, b"secret")


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (OPENED, "Silent: CH1/027/2024"),
        (REMINDED, "Still open: Silent: CH1/027/2024"),
        (ESCALATED, "Not acknowledged: Silent: CH1/027/2024"),
        (ENDED, "Over: Silent: CH1/027/2024"),
    ],
)
def test_what_has_become_of_an_incident(site: Site, kind: str, title: str) -> None:
    to = channel(site.vera.user, NOON, name="Mine", after_minutes=None if kind == ESCALATED else 0)
    one = incident(NOON, device=site.device, subject="CH1/027/2024")
    if kind == ENDED:
        tell(one, NOON)
        Delivery.objects.update(state="sent", next_try=None)
        Incident.objects.update(ended_at=NOON)
        one.refresh_from_db()
    tell(one, NOON, kind)
    told = message(to)
    lines = told.text.splitlines()
    assert (told.subject, lines[0]) == (title, title)
    when = "From 2026-03-01 18:00 (Asia/Singapore) until 2026-03-01 20:00 (Asia/Singapore): 2 h."
    assert ("Since 2026-03-01 18:00 (Asia/Singapore)." if kind != ENDED else when) in lines
    assert f"https://ozone.example.com/incidents/{one.pk}/" in lines
    assert "To vera, by the channel “Mine” of Ozone Telemetry." in lines
    assert lines[-1].startswith("Stop these messages: https://ozone.example.com/channels/stop/")


@pytest.mark.alike
def test_who_has_acknowledged(site: Site) -> None:
    to = channel(site.vera.user, NOON, kind=WEBHOOK)
    one = incident(NOON, device=site.device, acknowledged_by=site.olga.user, acknowledged_at=NOON, note="On my way")
    tell(one, NOON, ACKNOWLEDGED)
    told = message(to)
    body = jsonio.decode(told.body)
    assert (body["type"], body["data"]["acknowledged_by"], body["data"]["note"]) == (ACKNOWLEDGED, "olga", "On my way")
    assert "Acknowledged by olga. On my way" in told.text.splitlines()


def test_the_same_at_every_try_but_for_the_doubt(site: Site) -> None:
    to = channel(site.vera.user, NOON, kind=WEBHOOK)
    tell(incident(NOON, device=site.device), NOON)
    first = message(to, Outcome(False, error="It did not answer.", is_unknown=True))
    Delivery.objects.update(next_try=DUE)
    second = message(to)
    assert (first.id, first.body, first.subject) == (second.id, second.body, second.subject)
    doubt = "(You may have had this message before.)"
    assert (doubt in first.text, second.text.splitlines()[0]) == (False, doubt)


def test_a_code(site: Site, settings: Settings) -> None:
    settings.EMAIL_HOST = "mail.example.com"
    person = site.vera.user
    for fields in ({"kind": EMAIL, "target": "a@example.com"}, {"kind": WEBHOOK, "target": "https://example.com/"}):
        made, _ = add(person=person, fields=fields, now=NOON)
        told = message(made)
        code = code_of(made)
        assert told.subject == f"Your code: {code}"
        assert told.stop_url == "" and "Stop these messages" not in told.text
        if made.kind == WEBHOOK:
            body = jsonio.decode(told.body)
            assert (body["type"], body["data"]["code"]) == (VERIFY, code)
        # It stands in no row.
        assert code not in str([*Delivery.objects.values(), *Channel.objects.values()])


@pytest.mark.alike
def test_without_an_address_of_our_own_there_are_no_links(site: Site, settings: Settings) -> None:
    settings.PUBLIC_URL = ""
    to = channel(site.vera.user, NOON)
    tell(incident(NOON, device=site.device), NOON)
    told = message(to)
    assert "http" not in told.text
    assert told.stop_url == ""


@pytest.mark.alike
def test_a_name_with_line_breaks(site: Site) -> None:
    """A subject is one line, whatever somebody calls a machine."""
    to = channel(site.vera.user, NOON)
    tell(incident(NOON, device=site.device, subject="A\r\nBcc: all@example.com " + "x" * 180), NOON)
    subject = message(to).subject
    assert "\n" not in subject and "\r" not in subject
    assert len(subject) <= 150


def test_a_letter_as_html_says_the_same(site: Site) -> None:
    """Whatever somebody calls a machine is text, and leads nowhere."""
    to = channel(site.vera.user, NOON, name="Mine")
    name = "<img src=x> https://evil.example.com/ at Chai Chee & Co"
    one = incident(NOON, device=site.device, subject=name, cause="Its <b>power</b>.")
    tell(one, NOON)
    told = message(to)
    read = Links()
    read.feed(told.html)
    assert " ".join("".join(read.words).split()).startswith(f"Silent: {name} Silent: {name} It has last sent")
    assert "Likeliest cause: Its <b>power</b>." in "".join(read.words)
    stop = told.text.splitlines()[-1].removeprefix("Stop these messages: ")
    assert read.links == [f"https://ozone.example.com/incidents/{one.pk}/", stop]
    assert read.tags.isdisjoint({"img", "script", "link", "b"})
    assert "url(" not in told.html and "@import" not in told.html


@pytest.mark.alike
def test_several_as_html(site: Site) -> None:
    to = channel(site.vera.user, NOON)
    for number in range(22):
        tell(incident(NOON, device=site.device, subject_key=f"device:x{number}", subject=f"M{number}"), NOON)
    told = message(to)
    read = Links()
    read.feed(told.html)
    words = "".join(read.words)
    assert ("22 alerts: 22 new" in words, "Silent: M19" in words, "Silent: M20" in words) == (True, True, False)
    assert "… and 2 more." in words


@pytest.mark.alike
def test_a_webhook_has_no_html(site: Site) -> None:
    to = channel(site.vera.user, NOON, kind=WEBHOOK)
    tell(incident(NOON, device=site.device), NOON)
    assert message(to).html == ""


class Links(HTMLParser):
    """What a mail program shows, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._is_style = tag == "style"
        self.words += [" "] if tag in ("h1", "p", "body") else []
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.words.append(data)


@pytest.mark.alike
def test_beginning_and_end_together(site: Site) -> None:
    to: Any = channel(site.vera.user, NOON)
    one = incident(NOON, device=site.device)
    tell(one, NOON)
    tell(one, NOON + HOUR, ENDED)
    Delivery.objects.update(next_try=NOON)
    told = message(to)
    assert told.subject == "2 alerts: 1 new, 1 over"
