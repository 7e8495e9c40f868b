"""The sender with real servers, kind ones and others."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from pytest_django import Settings

from alerts.carriers import webhook
from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.deliveries.models import TEST, Delivery
from alerts.deliveries.sender import A_FEW, Sender
from alerts.incidents.happening import OPENED
from alerts.incidents.models import Incident
from alerts.incidents.services import acknowledge
from alerts.subscriptions.services import send_test
from alerts.tests.conftest import mail_by
from alerts.tests.fleet import MINUTE, Fleet
from alerts.tests.telling import channel, incident, states, tell
from telemetry.tests.cast import Site
from tests.support.sinks import HttpSink, SmtpSink, http_sink, smtp_sink, until, words_of


@pytest.fixture
def site(db: None, settings: Settings) -> Site:
    settings.PUBLIC_URL = "https://ozone.example.com"
    return Site.laid()


@pytest.fixture
def sender() -> Sender:
    """Whose steps the test makes."""
    return Sender()


def hook(site: Site, url: str, **fields: Any) -> Channel:
    made = channel(site.olga.user, timezone.now(), kind=WEBHOOK, target=url, **{"host": url, **fields})
    send_test(channel=made, now=timezone.now())
    return made


def step(sender: Sender, is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Step by step, until it is so."""

    def is_done() -> bool:
        sender.step()
        return is_so()

    until(is_done, seconds)


def work(sender: Sender, seconds: float = 20.0) -> None:
    """Until all is sent that was due."""

    step(
        sender, lambda: not Delivery.objects.filter(state__in=["waiting", "sending"], attempts__lt=2).exists(), seconds
    )


def test_by_e_mail(site: Site, sender: Sender, mailbox: SmtpSink) -> None:
    """What happened, since when, what is usual, what to do, the link; and the one that stops it."""
    to = channel(site.vera.user, timezone.now(), name="Mine", target="vera@example.com", host="127.0.0.1")
    now = timezone.now()
    one = incident(now, device=site.device, cause="The line is down.", facts={"threshold": 600})
    tell(one, now)
    Delivery.objects.update(next_try=now)
    Channel.objects.update(wakes_at=now)
    work(sender)
    (letter,) = mailbox.letters
    assert (letter["To"], letter["Subject"]) == ("vera@example.com", "Silent: CH1/027/2024 at Chai Chee")
    lines = words_of(letter).splitlines()
    assert lines[0] == "Silent: CH1/027/2024 at Chai Chee"
    assert f"Since {one.since:%Y-%m-%d %H:%M} (UTC)." in lines
    assert "Likeliest cause: The line is down." in lines
    assert f"What to do: {one.advice}" in lines
    assert f"https://ozone.example.com/incidents/{one.pk}/" in lines
    (stop,) = [line for line in lines if line.startswith("Stop these messages: ")]
    assert letter["List-Unsubscribe"].strip() == f"<{stop.removeprefix('Stop these messages: ')}>"
    assert states(channel=to) == [(OPENED, "sent")]


def test_by_a_webhook(site: Site, sender: Sender, sink: HttpSink) -> None:
    now = timezone.now()
    channel(site.vera.user, now, kind=WEBHOOK, target=sink.url("/ok"), host="127.0.0.1")
    first = incident(now, device=site.device)
    tell(first, now)
    Delivery.objects.update(next_try=now)
    Channel.objects.update(wakes_at=now)
    work(sender)
    (post,) = sink.posts
    body = post.json()
    assert (body["type"], body["data"]["id"], body["data"]["kind"]) == (OPENED, first.pk, "silent")
    assert body["timestamp"].endswith("Z")
    row = Delivery.objects.get()
    assert (post.headers["webhook-id"], row.response_code) == (f"msg_{row.message}", 200)


def test_several_in_one(site: Site, sender: Sender, sink: HttpSink, mailbox: SmtpSink) -> None:
    """A message about many says how many, and no one of them is forgotten."""
    now = timezone.now()
    channel(site.olga.user, now, kind=WEBHOOK, target=sink.url("/ok"), host="127.0.0.1")
    channel(site.olga.user, now, host="mail")
    many = [incident(now, subject_key=f"device:{at}", subject=f"m-{at}", device=site.device) for at in range(30)]
    for one in many:
        tell(one, now)
    Delivery.objects.update(next_try=now)
    Channel.objects.update(wakes_at=now)
    work(sender)
    (post,), (letter,) = sink.posts, mailbox.letters
    assert (post.json()["type"], post.json()["data"]["count"]) == ("several", 30)
    assert [one["data"]["id"] for one in post.json()["data"]["happenings"]] == [one.pk for one in many]
    assert letter["Subject"] == "30 alerts: 30 new"
    text = words_of(letter)
    assert "— Silent: m-0" in text and "— Silent: m-19" in text and "m-20" not in text
    assert "… and 10 more." in text


def test_one_that_hangs_holds_up_nobody(
    site: Site, sender: Sender, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the other channels of its person, nor anybody else's; and no step waits for any of them."""
    monkeypatch.setattr(webhook, "SECONDS", 8.0)
    stuck = [hook(site, sink.url("/hang"), host=f"{at}.example.com") for at in range(A_FEW - 1)]
    kind = [hook(site, sink.url("/ok"), host=f"kind{at}.example.com") for at in range(3)]
    began, longest = time.monotonic(), 0.0

    def is_told() -> bool:
        nonlocal longest
        step = time.thread_time()
        sender.step()
        longest = max(longest, time.thread_time() - step)
        return Delivery.objects.filter(channel__in=kind, state="sent").count() == 3

    until(is_told, 7.5)
    assert time.monotonic() - began < 8
    assert set(states(channel__in=stuck)) == {(TEST, "sending")}
    step(sender, lambda: set(states(channel__in=stuck)) == {(TEST, "waiting")})
    assert set(Delivery.objects.filter(channel__in=stuck).values_list("maybe_twice", "attempts")) == {(True, 1)}


def test_few_to_one_host_and_of_one_person(
    site: Site, sender: Sender, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 1.5)
    for _ in range(A_FEW + 2):
        hook(site, sink.url("/hang"), host="one.example.com")
    other = channel(site.vera.user, timezone.now(), kind=WEBHOOK, target=sink.url("/ok"), host="one.example.com")
    send_test(channel=other, now=timezone.now())
    for _ in range(20):
        sender.step()
    under_way = [thread for thread in threading.enumerate() if thread.name.startswith("delivery-")]
    assert len(under_way) == A_FEW
    step(sender, lambda: Delivery.objects.filter(channel=other, state="sent").exists())


def test_a_mail_server_that_hangs_holds_up_no_webhook(
    site: Site, sender: Sender, sink: HttpSink, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 3
    with smtp_sink(hangs=True) as mailbox:
        mail_by(settings, mailbox)
        slow = channel(site.vera.user, timezone.now(), kind=EMAIL, host="127.0.0.1")
        send_test(channel=slow, now=timezone.now())
        quick = hook(site, sink.url("/ok"))
        step(sender, lambda: states(channel=quick) == [(TEST, "sent")], 2.5)
        assert states(channel=slow) == [(TEST, "sending")]
        step(sender, lambda: states(channel=slow) == [(TEST, "waiting")])


def test_a_secret_that_no_key_opens(site: Site, sender: Sender, sink: HttpSink, settings: Settings) -> None:
    """It is tried again: the operator may put the key back."""
    to = hook(site, sink.url("/ok"))
    settings.DEVICE_DATA_KEY = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]
    step(sender, lambda: states(channel=to) == [(TEST, "waiting")])
    row = Delivery.objects.get()
    assert "cannot be opened with DEVICE_DATA_KEY" in row.error
    assert (row.attempts, sink.posts) == (1, [])


@pytest.mark.django_db(transaction=True)
def test_it_leads_in_a_thread_and_ends_in_order(settings: Settings) -> None:
    """What is under way at the end has a moment for it."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    site, sender = Site.make(), Sender()
    with http_sink() as sink:
        sender.start()
        try:
            hook(site, sink.url("/ok"))
            until(lambda: Delivery.objects.filter(state="sent").exists())
            sink.arrived.clear()
            hook(site, sink.url("/hang"))
            assert sink.arrived.wait(20)
            # While it waits for the other side, whoever writes need not wait for it.
            assert Channel.objects.update(name="Renamed") == 2
            threading.Timer(0.5, sink.ended.set).start()
        finally:
            began = time.monotonic()
            sender.stop()
        assert time.monotonic() - began < 6
    assert not Delivery.objects.filter(state="sending").exists()


def sent_at(now: datetime, sender: Sender, mailbox: SmtpSink) -> list[tuple[str, list[str]]]:
    """Subject and lines of what goes out then."""
    before = len(mailbox.letters)
    with time_machine.travel(now):
        work(sender)
    return [(letter["Subject"], words_of(letter).splitlines()) for letter in mailbox.letters[before:]]


def test_from_a_machine_that_dies_to_the_mail(
    fleet: Callable[..., Fleet], sender: Sender, mailbox: SmtpSink, settings: Settings
) -> None:
    """Of eight whose router dies one message says so; then it is over."""
    settings.PUBLIC_URL = "https://ozone.example.com"
    town = fleet(1, 8)
    channel(User.objects.create_user("olga", is_staff=True), town.truth)
    town.go_on(14 * MINUTE, without=town.devices[1:])
    ((subject, lines),) = sent_at(town.truth + MINUTE, sender, mailbox)
    one = Incident.objects.get(kind="outlet_silent")
    assert subject == "Outlet silent: Outlet 1"
    assert lines[2] == one.sentence
    assert f"What to do: {one.advice}" in lines
    assert f"https://ozone.example.com/incidents/{one.pk}/" in lines
    town.go_on(2 * MINUTE)
    ((subject, lines),) = sent_at(town.truth + MINUTE, sender, mailbox)
    assert subject == "Over: Outlet silent: Outlet 1"


def test_from_one_to_the_next_until_somebody_acknowledges(
    fleet: Callable[..., Fleet], sender: Sender, mailbox: SmtpSink
) -> None:
    """Two machines die. One is acknowledged after five minutes; of the other the next person hears after a quarter of
    an hour, and the last when nobody has acknowledged it for ALERT_ESCALATION_MINUTES."""
    town = fleet(1, 1, 1)
    for name, minutes in (("olga", 0), ("vera", 15), ("sue", None)):
        channel(User.objects.create_user(name, is_staff=True), town.truth, after_minutes=minutes)
    came, at = [], None
    for _ in range(45):
        town.go_on(MINUTE, without=town.devices[1:])
        before = len(mailbox.letters)
        with time_machine.travel(town.truth + MINUTE / 2):
            step(sender, lambda: not is_any_due(timezone.now()))
        one = Incident.objects.filter(outlet=town.outlets[2]).first()
        at = at if at is not None or one is None else town.truth
        if one is not None and at is not None:
            passed = (town.truth - at) // MINUTE
            came += [(letter["To"], letter["Subject"], passed) for letter in mailbox.letters[before:]]
            if passed == 5:
                acknowledge(incident=one, note="On my way", actor=None, now=town.truth)
    assert came == [
        ("olga@example.com", "2 alerts: 2 new", 0),
        ("vera@example.com", "Silent: m1-0 at Outlet 1", 15),
        ("sue@example.com", "Not acknowledged: Silent: m1-0 at Outlet 1", 30),
    ]


def is_any_due(now: datetime) -> bool:
    due = Q(state="sending") | Q(state="waiting", next_try__lte=now)
    return Delivery.objects.filter(due).exists()
