"""Who sends what: one runner each, whatever it comes to."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.carriers.outgoing import Outcome
from alerts.channels.models import Channel
from alerts.deliveries.announcing import store
from alerts.deliveries.claiming import CLAIM, GATHER, LIFE, claim, finish, recover
from alerts.deliveries.models import VERIFY, Delivery
from alerts.incidents.happening import ENDED, OPENED
from alerts.subscriptions.services import stop
from alerts.tests.telling import GOOD, channel, incident, send, states, tell
from telemetry.tests.cast import HOUR, NOON, Site
from tests.support.postgres import just_before

DUE = NOON + GATHER
BAD = Outcome(False, 503, "It answered 503.")


@pytest.fixture
def site(db: None) -> Site:
    return Site.laid()


@pytest.fixture
def to(site: Site) -> Channel:
    """With something to be told from DUE on."""
    made = channel(site.vera.user, NOON)
    tell(incident(NOON, device=site.device), NOON)
    return made


def the_one() -> Delivery:
    return Delivery.objects.get()


def wakes_at(of: Channel) -> datetime | None:
    of.refresh_from_db()
    return of.wakes_at


def test_it_works(to: Channel) -> None:
    found = claim(to.pk, DUE)
    assert found is not None
    row = the_one()
    assert (row.state, row.attempts, row.claimed_until, row.next_try) == ("sending", 1, DUE + CLAIM, None)
    assert row.message == found.message
    assert wakes_at(to) is None
    finish(found, GOOD, DUE + timedelta(seconds=1))
    row = the_one()
    assert (row.state, row.response_code, row.claim, row.maybe_twice) == ("sent", 200, None, False)
    assert row.sent_at == DUE + timedelta(seconds=1)


@pytest.mark.alike
def test_nothing_is_due_yet(to: Channel) -> None:
    assert claim(to.pk, DUE - timedelta(seconds=1)) is None
    assert wakes_at(to) == DUE


@pytest.mark.alike
def test_nobody_else_has_it(to: Channel) -> None:
    assert claim(to.pk, DUE) is not None
    assert claim(to.pk, DUE) is None
    assert claim(to.pk, DUE + CLAIM) is None


@pytest.mark.alike
@pytest.mark.django_db(transaction=True)
def test_what_is_told_meanwhile_is_not_overlooked(site: Site, to: Channel) -> None:
    with just_before(lambda: tell(incident(NOON, subject_key="device:x", device=site.device), DUE)):
        found = claim(to.pk, DUE)
    assert found is not None
    finish(found, GOOD, DUE)
    assert states() == [(OPENED, "sent")] * 2


@pytest.mark.alike
def test_of_a_channel_that_is_gone(to: Channel) -> None:
    found = claim(to.pk, DUE)
    assert found is not None
    Delivery.objects.all().delete()
    to.delete()
    finish(found, GOOD, DUE)
    assert claim(found.channel.pk or 0, DUE) is None


class TestAgain:
    def test_later_and_later_under_the_same_id(self, to: Channel) -> None:
        now, waits, messages = DUE, [], set()
        while the_one().state != "failed":
            found = send(to, now, BAD)
            assert found is not None
            messages.add(found.message)
            again = the_one().next_try
            if again is not None:
                assert wakes_at(to) == again
                waits.append((again - now).total_seconds())
                now = again
        assert len(messages) == 1
        nominal = [5, 30, 120, 600, 1800, 3600, 7200, 14400, 14400, 14400]
        assert [abs(wait / usual - 1) < 0.11 for wait, usual in zip(waits, nominal, strict=False)] == [True] * 10
        # The last try is a day after the first, and there is none after it.
        assert now - DUE == LIFE
        row = the_one()
        assert (row.state, row.next_try, row.response_code, row.error) == ("failed", None, 503, "It answered 503.")
        assert wakes_at(to) is None

    @pytest.mark.alike
    def test_no_sooner_than_the_other_side_asks(self, to: Channel) -> None:
        send(to, DUE, Outcome(False, 429, "It answered 429.", retry_after=900.0))
        assert the_one().next_try == DUE + timedelta(minutes=15)

    @pytest.mark.alike
    def test_what_may_have_come_through_is_marked(self, to: Channel) -> None:
        send(to, DUE, Outcome(False, error="It did not answer within 10 s.", is_unknown=True))
        assert the_one().maybe_twice
        send(to, DUE + HOUR)
        assert (the_one().state, the_one().maybe_twice) == ("sent", True)

    @pytest.mark.alike
    def test_what_wants_no_more(self, to: Channel) -> None:
        send(to, DUE, Outcome(False, 410, "It answered 410.", is_gone=True))
        assert the_one().state == "failed"
        to.refresh_from_db()
        assert to.stopped

    @pytest.mark.alike
    def test_new_ones_do_not_wait_for_it(self, site: Site, to: Channel) -> None:
        send(to, DUE, BAD)
        tell(incident(NOON, subject_key="device:x", device=site.device), DUE)
        minute = DUE + timedelta(seconds=61)
        first, second = send(to, minute, BAD), send(to, minute)
        assert first is not None and second is not None
        assert first.message != second.message
        assert sorted(states()) == [(OPENED, "sent"), (OPENED, "waiting")]


class TestCrash:
    def test_it_is_seen_and_sent_again(self, to: Channel) -> None:
        first = claim(to.pk, DUE)
        assert first is not None
        late = DUE + CLAIM + timedelta(seconds=1)
        assert recover(DUE + CLAIM) == 0
        assert recover(late) == 1
        row = the_one()
        assert (row.state, row.maybe_twice, row.next_try) == ("unsent", True, late)
        assert wakes_at(to) == late
        again = send(to, late)
        assert again is not None
        assert again.message == first.message
        assert (the_one().state, the_one().attempts, the_one().maybe_twice) == ("sent", 2, True)

    def test_one_that_was_only_slow(self, to: Channel) -> None:
        slow = claim(to.pk, DUE)
        assert slow is not None
        late = DUE + CLAIM + timedelta(seconds=1)
        recover(late)
        finish(slow, GOOD, late)
        assert claim(to.pk, late) is None
        assert (the_one().state, the_one().maybe_twice, wakes_at(to)) == ("sent", True, None)

    def test_who_had_it_says_nothing_any_more(self, to: Channel) -> None:
        """It comes back when another has it: what it says of its own try is no word about that one's."""
        slow = claim(to.pk, DUE)
        assert slow is not None
        late = DUE + CLAIM + timedelta(seconds=1)
        recover(late)
        other = claim(to.pk, late)
        assert other is not None
        finish(slow, BAD, late)
        assert the_one().state == "sending"
        finish(other, GOOD, late)
        assert the_one().state == "sent"


@pytest.mark.alike
class TestStopped:
    def test_nothing_more_goes_out(self, site: Site, to: Channel) -> None:
        stop(to, DUE)
        assert states() == [(OPENED, "dropped")]
        assert claim(to.pk, DUE) is None

    def test_what_was_under_way_is_not_tried_again(self, to: Channel) -> None:
        found = claim(to.pk, DUE)
        assert found is not None
        stop(to, DUE)
        finish(found, BAD, DUE)
        assert send(to, DUE + HOUR) is None
        assert states() == [(OPENED, "dropped")]


class TestCodes:
    @pytest.fixture
    def made(self, site: Site) -> Channel:
        made = channel(site.vera.user, NOON, verified_at=None, code_sent_at=NOON)
        store(
            [
                Delivery(
                    channel=made, person=made.person, key="a", type=VERIFY, at=NOON, data={}, message="a" * 32,
                    next_try=NOON,
                )
            ]
        )  # fmt: skip
        return made

    @pytest.mark.alike
    def test_it_is_tried_again_while_it_is_good(self, made: Channel) -> None:
        assert send(made, NOON, BAD) is not None
        assert send(made, NOON + HOUR - timedelta(seconds=1)) is not None
        assert states() == [(VERIFY, "sent")]

    @pytest.mark.alike
    def test_not_when_it_is_worth_nothing(self, made: Channel) -> None:
        send(made, NOON, BAD)
        assert send(made, NOON + HOUR) is None
        assert states() == [(VERIFY, "dropped")]

    def test_not_when_it_was_told_already(self, made: Channel) -> None:
        """It came through, and we were not told that it had."""
        send(made, NOON, BAD)
        Channel.objects.update(verified_at=NOON)
        assert send(made, NOON + timedelta(minutes=1)) is None
        assert states() == [(VERIFY, "dropped")]


@pytest.mark.alike
def test_a_device_that_became_anothers(site: Site, to: Channel) -> None:
    """Between what happened and its message it was sold."""
    site.device.owner = site.mallory.user
    site.device.save()
    assert send(to, DUE) is None
    assert states() == [(OPENED, "dropped")]


@pytest.mark.alike
def test_the_beginning_and_the_end_in_one(site: Site, to: Channel) -> None:
    one = Delivery.objects.get().incident
    assert one is not None
    tell(one, NOON + timedelta(seconds=5), ENDED)
    found: Any = send(to, DUE)
    assert [row.type for row in found.rows] == [OPENED, ENDED]
