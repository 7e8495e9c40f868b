"""/api/deliveries/: the log, and sending once more."""

from typing import Any

import pytest
import time_machine

from alerts.carriers.outgoing import Outcome
from alerts.channels.models import WEBHOOK
from alerts.deliveries.claiming import GATHER
from alerts.deliveries.models import VERIFY, Delivery
from alerts.incidents.happening import OPENED
from alerts.tests.telling import channel, incident, send, tell
from telemetry.tests.cast import DAY, NOON, Site

LOG = "/api/deliveries/"
DUE = NOON + GATHER


@pytest.fixture(autouse=True)
def _noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def site(db: None) -> Site:
    return Site.laid()


def test_it_works(site: Site) -> None:
    to = channel(site.vera.user, NOON, kind=WEBHOOK, name="Till")
    one = incident(NOON, device=site.device)
    tell(one, NOON)
    send(to, DUE, Outcome(False, 503, "It answered 503."))
    row = Delivery.objects.get()
    assert site.vera.read(LOG) == {
        "results": [
            {
                "id": row.pk,
                "type": OPENED,
                "incident_id": one.pk,
                "at": "2026-03-01T12:00:00Z",
                "channel_id": to.pk,
                "channel": "Till",
                "kind": "webhook",
                "person": "vera",
                "state": "waiting",
                "message_id": f"msg_{row.message}",
                "attempts": 1,
                "next_try": row.next_try and row.next_try.isoformat().replace("+00:00", "Z"),
                "sent_at": None,
                "response_code": 503,
                "error": "It answered 503.",
                "maybe_twice": False,
            }
        ],
        "next": None,
    }


@pytest.mark.alike
def test_who_reads_it(site: Site) -> None:
    """Staff read all of it, and no address and no secret in it; nobody else reads what is not theirs."""
    to = channel(site.vera.user, NOON, kind=WEBHOOK)
    tell(incident(NOON, device=site.device), NOON)
    assert len(site.vera.read(LOG)["results"]) == 1
    seen = site.olga.get(LOG)
    assert len(seen.json()["results"]) == 1
    assert to.target.encode() not in seen.body and b"whsec" not in seen.body
    assert site.mallory.read(LOG) == {"results": [], "next": None}
    assert site.mallory.read(f"{LOG}?channel_id={to.pk}") == {"results": [], "next": None}
    assert site.nobody.get(LOG).status == 401


def test_page_by_page(site: Site) -> None:
    channel(site.vera.user, NOON)
    for number in range(5):
        tell(incident(NOON, subject_key=f"device:{number}", device=site.device), NOON)
    newest = list(Delivery.objects.order_by("-id").values_list("id", flat=True))
    found, before = [], ""
    while True:
        page = site.vera.read(f"{LOG}?limit=2{before}")
        found.append([one["id"] for one in page["results"]])
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == [newest[:2], newest[2:4], newest[4:]]


def test_filters(site: Site) -> None:
    to, other = channel(site.vera.user, NOON), channel(site.vera.user, NOON)
    one = incident(NOON, device=site.device)
    tell(one, NOON)
    send(to, DUE)
    sent, waits = (Delivery.objects.get(channel=of).pk for of in (to, other))
    for query, expected in {
        "state=sent": [sent],
        "state=waiting": [waits],
        f"channel_id={other.pk}": [waits],
        f"incident_id={one.pk}": [waits, sent],
        f"incident_id={one.pk + 1}": [],
    }.items():
        assert [row["id"] for row in site.vera.read(f"{LOG}?{query}")["results"]] == expected
    assert site.vera.get(f"{LOG}?state=lost").status == 400


class TestReplay:
    def test_it_works(self, site: Site) -> None:
        """All of the message, under its id."""
        to = channel(site.vera.user, NOON)
        for number in range(3):
            tell(incident(NOON, subject_key=f"device:{number}", device=site.device), NOON)
        first = send(to, DUE)
        row = Delivery.objects.order_by("id")[0]
        answer = site.vera.post(f"{LOG}{row.pk}/replay/")
        told = answer.json()
        assert (answer.status, told["state"], told["next_try"]) == (202, "waiting", "2026-03-01T12:00:00Z")
        again = send(to, NOON)
        assert first is not None and again is not None
        assert (again.message, again.number) == (first.message, 3)

    def test_what_was_given_up_has_another_day(self, site: Site) -> None:
        to = channel(site.vera.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        bad = Outcome(False, 503, "It answered 503.")
        for at in (DUE, DUE + DAY):
            send(to, at, bad)
        row = Delivery.objects.get()
        assert row.state == "failed"
        site.vera.post(f"{LOG}{row.pk}/replay/")
        send(to, DUE + 2 * DAY, bad)
        assert Delivery.objects.get().state == "waiting"

    def test_not_what_is_yet_to_be_sent(self, site: Site) -> None:
        channel(site.vera.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        refused = site.vera.post(f"{LOG}{Delivery.objects.get().pk}/replay/")
        assert (refused.status, refused.json()["code"]) == (409, "not_replayable")

    @pytest.mark.alike
    def test_not_by_a_channel_that_is_stopped(self, site: Site) -> None:
        to = channel(site.vera.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        send(to, DUE)
        site.vera.patch(f"/api/channels/{to.pk}/", {"stopped": True})
        refused = site.vera.post(f"{LOG}{Delivery.objects.get().pk}/replay/")
        assert (refused.status, refused.json()["code"]) == (409, "channel_not_active")

    @pytest.mark.alike
    def test_no_code(self, site: Site) -> None:
        to = channel(site.vera.user, NOON)
        row = Delivery.objects.create(
            channel=to, person=to.person, key="x", type=VERIFY, at=NOON, data={}, state="sent", message="a" * 32
        )
        assert site.vera.post(f"{LOG}{row.pk}/replay/").json()["code"] == "not_replayable"

    @pytest.mark.alike
    def test_only_ones_own(self, site: Site) -> None:
        to = channel(site.vera.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        send(to, DUE)
        for person in (site.olga, site.mallory):
            refused = person.post(f"{LOG}{Delivery.objects.get().pk}/replay/")
            assert (refused.status, refused.json()["code"]) == (404, "unknown_delivery")
