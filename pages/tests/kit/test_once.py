"""A form that is sent again: at once, by another process, later, changed, by somebody else, after a refusal."""

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from device_gateway.models import Device, ProvisioningToken
from pages.devices import list_views
from pages.kit import once
from pages.models import SentForm
from pages.tests.conftest import ACTIONS, SignIn, key_of, token_of

ADD = "/device-add/"


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def form(client: Client, name: str = "Twin") -> dict[str, str]:
    return {once.FIELD: key_of(client.get(ADD)), "name": name}


def names() -> list[str]:
    return list(Device.objects.order_by("pk").values_list("name", flat=True))


def said(reply: Any) -> str:
    found = re.search(r"<main.*</main>", reply.content.decode(), re.DOTALL)
    assert found
    return found[0]


def twins(client: Client, number: int, act: Any) -> list[Any]:
    """The replies to windows that do the same at the same time, with the client's cookies."""
    replies: list[Any] = []
    start = threading.Barrier(number)

    def window() -> None:
        twin = Client()
        twin.cookies.update(client.cookies)
        start.wait()
        replies.append(act(twin))
        connection.close()

    threads = [threading.Thread(target=window) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


@pytest.mark.django_db(transaction=True)
def test_truly_at_once(staff: Client) -> None:
    sent = form(staff)
    replies = twins(staff, 4, lambda twin: twin.post(ADD, sent, follow=True))
    assert names() == ["Twin"]
    assert [reply.redirect_chain for reply in replies] == [[("/devices", 302)]] * 4
    assert ["Twin is added." in said(reply) for reply in replies] == [True] * 4


@pytest.mark.django_db(transaction=True)
def test_who_comes_second_waits(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, may_end, calls = form(staff), threading.Event(), []
    register = list_views.register_device

    def slowly(**fields: Any) -> Device:
        calls.append(fields)
        may_end.wait(10)
        return register(**fields)

    monkeypatch.setattr(list_views, "register_device", slowly)
    ender = threading.Thread(target=_when, args=(lambda: len(once._newest) == 1, may_end.set))
    ender.start()
    replies = twins(staff, 2, lambda twin: twin.post(ADD, sent))
    ender.join()
    assert [(reply.status_code, reply["Location"]) for reply in replies] == [(302, "/devices")] * 2
    assert (len(calls), names()) == (1, ["Twin"])


def _when(is_so: Any, act: Any) -> None:
    while not is_so():
        time.sleep(0.01)
    act()


@pytest.mark.django_db
def test_what_never_ended_is_not_done_again(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a crash."""
    sent = form(staff)
    staff.post(ADD, sent)
    SentForm.objects.update(outcome=None)
    monkeypatch.setattr(once, "WAIT_SECONDS", 0.0)
    reply = staff.post(ADD, sent)
    assert reply.status_code == 409
    assert "nothing is done twice" in said(reply)
    assert names() == ["Twin"]


@pytest.mark.django_db
def test_another_form_and_other_words_are_another_act(staff: Client) -> None:
    sent = form(staff)
    for fields in (sent, {**sent, "name": "Another"}, form(staff)):
        assert staff.post(ADD, fields).status_code == 302
    assert names() == ["Twin", "Another", "Twin"]


@pytest.mark.alike
@pytest.mark.django_db
@pytest.mark.parametrize("key", [None, "", "n", "x" * 44, "é" * 43])
def test_without_a_key_each_one_acts(staff: Client, key: str | None) -> None:
    for _ in range(2):
        staff.post(ADD, {"name": "Twin", **({} if key is None else {once.FIELD: key})})
    assert names() == ["Twin", "Twin"]
    assert not SentForm.objects.exists()


@pytest.mark.django_db
def test_what_was_refused_may_be_sent_again(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = form(staff)
    assert staff.post(ADD, {**sent, "name": ""}).status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(list_views, "register_device", _locked)
        assert staff.post(ADD, sent).status_code == 503
    with monkeypatch.context() as patch:
        patch.setattr(list_views, "register_device", _broken)
        assert staff.post(ADD, sent).status_code == 500
    assert not SentForm.objects.exists()
    assert staff.post(ADD, sent).status_code == 302
    assert names() == ["Twin"]


def _locked(**_: Any) -> Device:
    raise OperationalError("database is locked")


def _broken(**_: Any) -> Device:
    raise ZeroDivisionError


@pytest.mark.django_db
def test_strangers_write_nothing(client: Client) -> None:
    reply = client.post(ADD, {once.FIELD: once.new_key(), "name": "Twin"})
    assert reply["Location"] == f"/login/?next={ADD}"
    assert not SentForm.objects.exists()


@pytest.mark.alike
@pytest.mark.django_db
def test_nobody_else_is_shown_what_came_of_it(staff: Client, signed_in: SignIn, vera: User, meter: Device) -> None:
    """Whoever signs in at the same browser, and sends the page once more."""
    sent = {once.FIELD: key_of(staff.get(ACTIONS)), "device": str(meter.pk)}
    assert token_of(staff.post(ACTIONS, sent))
    staff.post("/logout/")
    assert staff.post(ACTIONS, sent)["Location"] == f"/login/?next={ACTIONS}"
    strange = signed_in(User.objects.create_user("nils"))
    assert strange.post(ACTIONS, sent).status_code == 404
    assert ProvisioningToken.objects.count() == 1


@pytest.mark.django_db
def test_a_token_is_nowhere_in_clear(staff: Client, meter: Device) -> None:
    key = key_of(staff.get(ACTIONS))
    token = token_of(staff.post(ACTIONS, {once.FIELD: key, "device": str(meter.pk)}))
    row = SentForm.objects.get()
    kept = bytes(row.outcome or b"") + row.digest.encode()
    assert token and token.encode() not in kept and key.encode() not in kept


@pytest.mark.django_db
def test_later_it_is_told_that_it_was_sent(staff: Client, meter: Device) -> None:
    token = {once.FIELD: key_of(staff.get(ACTIONS)), "device": str(meter.pk)}
    sent, now = form(staff), timezone.now()
    assert token_of(staff.post(ACTIONS, token))
    staff.post(ADD, sent)
    with time_machine.travel(now + once.SHOWN + timedelta(seconds=5), tick=False):
        again = staff.post(ADD, sent, follow=True)
        assert "Twin is added." in said(again)
        assert "This form was sent before. Nothing was done a second time" in said(again)
        reply = staff.post(ACTIONS, token)
    assert (reply.status_code, token_of(reply)) == (409, "")
    assert "This form was sent before. Nothing was done a second time" in said(reply)
    assert ProvisioningToken.objects.count() == 1


@pytest.mark.django_db
def test_it_is_not_remembered_for_ever(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MOST", 3)
    for _ in range(5):
        staff.post(ADD, form(staff))
    assert SentForm.objects.count() == 3
    SentForm.objects.update(sent_at=timezone.now() - once.KEPT)
    staff.post(ADD, form(staff))
    assert SentForm.objects.count() == 1
