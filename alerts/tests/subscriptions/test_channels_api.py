"""/api/channels/: a person's own, proved before it is used."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from pytest_django import Settings

from alerts.carriers import chat
from alerts.carriers.webhook import shown_secret
from alerts.channels.codes import code_of
from alerts.channels.models import Channel
from alerts.channels.secrets import opened
from alerts.deliveries.models import TEST, VERIFY, Delivery
from alerts.incidents.happening import OPENED
from alerts.tests.telling import channel, incident, states, tell
from telemetry.tests.cast import HOUR, NOON, Person, Site
from tests.support.doors import Answer

CHANNELS = "/api/channels/"
HOOK = {"kind": "webhook", "target": "https://example.com/hook"}
MAIL = {"kind": "email", "target": "vera@example.com"}


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def site(db: None, settings: Settings) -> Site:
    settings.EMAIL_HOST = "mail.example.com"
    return Site.laid()


def add(person: Person, fields: dict[str, Any]) -> Channel:
    answer = person.post(CHANNELS, fields)
    assert answer.status == 201, answer.body
    return Channel.objects.get(pk=answer.json()["id"])


def errors(answer: Answer) -> dict[str, Any]:
    assert answer.status == 400, answer.body
    found: dict[str, Any] = answer.json()["errors"]
    return found


def test_it_works(site: Site) -> None:
    answer = site.vera.post(CHANNELS, {**HOOK, "name": "Till", "quiet_from": "22:00", "quiet_until": "07:00"})
    made = Channel.objects.get()
    shown = {
        "id": made.pk,
        "kind": "webhook",
        "target": "https://example.com/hook",
        "name": "Till",
        "state": "unverified",
        "created_at": "2026-03-01T12:00:00Z",
        "verified_at": None,
        "stopped": False,
        "incidents": True,
        "conditions": [],
        "outlets": [],
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "after_minutes": 0,
        "daily": False,
        "weekly": False,
        "statements": False,
    }
    secret = shown_secret(opened(made))
    assert (answer.status, answer.json()) == (201, {**shown, "secret": secret})
    assert answer.headers["cache-control"] == "no-store"
    assert states() == [(VERIFY, "waiting")]
    # Never again, in no reply and in no column.
    assert site.vera.read(CHANNELS) == {"kinds": ["email", "webhook"], "results": [shown]}
    assert site.vera.read(f"{CHANNELS}{made.pk}/") == shown
    assert secret not in str(Channel.objects.values().get())
    proved = site.vera.post(f"{CHANNELS}{made.pk}/verify/", {"code": code_of(made)})
    active = {**shown, "state": "active", "verified_at": "2026-03-01T12:00:00Z"}
    assert (proved.status, proved.json()) == (200, active)


class TestVerifying:
    @pytest.fixture
    def made(self, site: Site) -> Channel:
        return add(site.vera, MAIL)

    def verify(self, site: Site, made: Channel, code: str) -> Answer:
        return site.vera.post(f"{CHANNELS}{made.pk}/verify/", {"code": code})

    @pytest.mark.alike
    def test_nothing_is_told_before(self, site: Site, made: Channel) -> None:
        tell(incident(NOON, device=site.device), NOON)
        assert states() == [(VERIFY, "waiting")]
        code = code_of(made)
        assert self.verify(site, made, f" {code[:4]} {code[4:]} ").status == 200
        tell(incident(NOON, subject_key="device:x", device=site.device), NOON)
        assert states() == [(VERIFY, "waiting"), (OPENED, "waiting")]

    @pytest.mark.alike
    def test_five_tries(self, site: Site, made: Channel) -> None:
        wrong = f"{(int(code_of(made)) + 1) % 10**8:08d}"
        assert [self.verify(site, made, wrong).json()["code"] for _ in range(5)] == ["wrong_code"] * 5
        assert self.verify(site, made, code_of(made)).json()["code"] == "wrong_code"

    def test_an_hour(self, site: Site, made: Channel, clock: Any) -> None:
        clock.shift(HOUR)
        assert self.verify(site, made, code_of(made)).json()["code"] == "wrong_code"

    @pytest.mark.alike
    def test_another_code(self, site: Site, made: Channel) -> None:
        before = code_of(made)
        assert site.vera.post(f"{CHANNELS}{made.pk}/code/").status == 202
        made.refresh_from_db()
        assert code_of(made) != before
        assert states() == [(VERIFY, "dropped"), (VERIFY, "waiting")]
        assert self.verify(site, made, before).json()["code"] == "wrong_code"
        assert self.verify(site, made, code_of(made)).status == 200

    @pytest.mark.alike
    def test_once(self, site: Site, made: Channel) -> None:
        assert self.verify(site, made, code_of(made)).status == 200
        again = self.verify(site, made, code_of(made))
        assert (again.status, again.json()["code"]) == (409, "channel_verified")
        assert site.vera.post(f"{CHANNELS}{made.pk}/code/").status == 409

    def test_three_an_hour(self, site: Site, made: Channel, clock: Any) -> None:
        """Of all channels of a person together, and of those that are deleted: nobody mails strangers through us."""
        assert site.vera.delete(f"{CHANNELS}{made.pk}/").status == 204
        second = add(site.vera, {**MAIL, "target": "b@example.com"})
        assert site.vera.post(f"{CHANNELS}{second.pk}/code/").status == 202
        for refused in (site.vera.post(CHANNELS, MAIL), site.vera.post(f"{CHANNELS}{second.pk}/code/")):
            assert (refused.status, refused.headers["retry-after"]) == (429, "3600")
        assert Channel.objects.count() == 1
        assert add(site.olga, MAIL)
        clock.shift(HOUR)
        assert site.vera.post(CHANNELS, MAIL).status == 201


class TestWho:
    def test_who_sees_no_device(self, site: Site) -> None:
        refused = site.mallory.post(CHANNELS, MAIL)
        assert (refused.status, refused.json()["code"]) == (403, "sees_no_device")
        assert site.mallory.read(CHANNELS)["results"] == []
        assert not Delivery.objects.exists()

    def test_it_is_ones_own(self, site: Site) -> None:
        made = channel(site.vera.user, NOON)
        path = f"{CHANNELS}{made.pk}/"
        for person in (site.olga, site.mallory):
            assert person.read(CHANNELS)["results"] == []
            asked = [
                person.get(path),
                person.patch(path, {"stopped": True}),
                person.delete(path),
                person.post(f"{path}verify/", {"code": code_of(made)}),
                person.post(f"{path}code/"),
                person.post(f"{path}test/"),
            ]
            assert {(answer.status, answer.json()["code"]) for answer in asked} == {(404, "unknown_channel")}
        assert site.nobody.get(path).status == 401
        assert Channel.objects.filter(stopped_at=None).count() == 1

    @pytest.mark.alike
    def test_twenty_of_a_person(self, site: Site) -> None:
        for _ in range(20):
            channel(site.vera.user, NOON)
        refused = site.vera.post(CHANNELS, MAIL)
        assert (refused.status, refused.json()["code"]) == (409, "too_many_channels")


class TestWhatItMayBe:
    @pytest.mark.parametrize(
        "target",
        [
            "",
            "vera",
            "vera@",
            "a@example.com, b@example.com",
            "vera@example.com\nBcc: all@example.com",
            "Vera <vera@example.com>",
        ],
    )
    @pytest.mark.alike
    def test_an_e_mail_address(self, site: Site, target: str) -> None:
        assert set(errors(site.vera.post(CHANNELS, {**MAIL, "target": target}))) == {"target"}

    @pytest.mark.parametrize(
        "target",
        [
            "example.com/hook",
            "ftp://example.com/",
            "https://",
            "https://user:password@example.com/",
            "https://example.com/#a",
            "https://example.com/\r\nX-A: b",
            "https://example.com:99999/",
            "http://127.0.0.1:8000/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "https://10.1.2.3/",
        ],
    )
    @pytest.mark.sqlite_only
    def test_a_webhooks_address(self, site: Site, target: str) -> None:
        assert set(errors(site.vera.post(CHANNELS, {**HOOK, "target": target}))) == {"target"}

    @pytest.mark.alike
    def test_one_that_is_allowed(self, site: Site, settings: Settings) -> None:
        settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.0.0/16"]
        assert add(site.vera, {**HOOK, "target": "https://10.1.2.3/"}).host == "10.1.2.3"

    @pytest.mark.alike
    def test_a_kind_that_staff_allow(self, site: Site, settings: Settings) -> None:
        settings.ALERT_CHANNEL_KINDS = ["email", "ntfys"]
        assert set(errors(site.vera.post(CHANNELS, HOOK))) == {"kind"}
        settings.EMAIL_HOST = ""
        assert set(errors(site.vera.post(CHANNELS, MAIL))) == {"kind"}
        assert site.vera.read(CHANNELS)["kinds"] == ["ntfys"]

    @pytest.mark.parametrize("member", ["outlets", "conditions"])
    def test_of_a_list_that_is_too_long_nothing_is_looked_at(self, site: Site, member: str) -> None:
        """A sentence for each of its items would be a second's work."""
        told = errors(site.vera.post(CHANNELS, {**HOOK, member: [0] * 80_000}))
        assert list(told) == [member]
        assert "no more than" in told[member][0]

    @pytest.mark.alike
    def test_ten_chats_are_looked_at_in_ten_minutes(
        self, site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wrong address costs as much as a right one, and no code that would be counted."""
        settings.ALERT_CHANNEL_KINDS = ["tgram"]
        looked: list[str] = []

        def refuse(asked: dict[str, Any]) -> dict[str, Any]:
            looked.append(asked["url"])
            return {"ok": False, "error": "No."}

        monkeypatch.setattr(chat, "_ask", refuse)
        answers = [site.vera.post(CHANNELS, {"kind": "tgram", "target": f"tgram://{n}"}) for n in range(12)]
        assert [answer.status for answer in answers] == [400] * 10 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert looked == [f"tgram://{n}" for n in range(10)]
        assert site.olga.post(CHANNELS, {"kind": "tgram", "target": "tgram://x"}).status == 400

    @pytest.mark.alike
    def test_a_chat_is_shown_without_its_secret(self, site: Site, settings: Settings) -> None:
        settings.ALERT_CHANNEL_KINDS = ["tgram"]
        address = "tgram://123456789:ABCdefGHIjkl/987654321/"
        answer = site.vera.post(CHANNELS, {"kind": "tgram", "target": address})
        assert answer.status == 201
        assert b"ABCdef" not in answer.body
        assert opened(Channel.objects.get()) == address.encode()
        for target in ("tgram://", "slack://a/b/c", "json://127.0.0.1/"):
            assert set(errors(site.vera.post(CHANNELS, {"kind": "tgram", "target": target}))) == {"target"}

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"quiet_from": "22:00"}, "quiet_until"),
            ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
            ({"quiet_from": "22", "quiet_until": "07:00"}, "quiet_from"),
            ({"conditions": ["no_such"]}, "conditions[0]"),
            ({"outlets": [999]}, "outlets"),
            ({"outlets": ["1"]}, "outlets[0]"),
            ({"after_minutes": -1}, "after_minutes"),
            ({"statements": True}, "statements"),
            ({"stopped": True}, "stopped"),
            ({"secret": "whsec_x"}, "secret"),
        ],
    )
    @pytest.mark.sqlite_only
    def test_what_it_is_told(self, site: Site, fields: dict[str, Any], named: str) -> None:
        assert set(errors(site.vera.post(CHANNELS, {**MAIL, **fields}))) == {named}
        assert not Channel.objects.exists()

    def test_no_outlet_that_is_anothers(self, site: Site) -> None:
        mine, theirs = site.outlet.pk, site.other_outlet.pk
        assert set(errors(site.vera.post(CHANNELS, {**MAIL, "outlets": [mine, theirs]}))) == {"outlets"}
        assert add(site.vera, {**MAIL, "outlets": [mine]}).outlets == [mine]

    @pytest.mark.alike
    def test_without_a_key_to_seal_it_with(self, site: Site, settings: Settings) -> None:
        settings.DEVICE_DATA_KEY = []
        refused = site.vera.post(CHANNELS, HOOK)
        assert (refused.status, refused.json()["code"]) == (409, "encryption_unavailable")
        assert site.vera.post(CHANNELS, MAIL).status == 201


class TestChanging:
    def test_it_works(self, site: Site) -> None:
        made = channel(site.vera.user, NOON)
        path = f"{CHANNELS}{made.pk}/"
        before = site.vera.get(path)
        wanted = {"name": "Home", "conditions": ["silent"], "daily": True, "after_minutes": None}
        after = site.vera.patch(path, wanted)
        assert (after.status, after.json()) == (200, {**before.json(), **wanted})
        assert after.headers["etag"] != before.headers["etag"]
        stale = site.vera.ask("PATCH", path, {"name": "Mine"}, If_Match=before.headers["etag"])
        assert (stale.status, stale.json()["code"]) == (412, "changed_meanwhile")

    @pytest.mark.alike
    def test_its_address_stays(self, site: Site) -> None:
        made = channel(site.vera.user, NOON)
        said = errors(site.vera.patch(f"{CHANNELS}{made.pk}/", {"target": "other@example.com"}))
        assert said == {"target": ["It stays what it is: add another channel."]}

    def test_stopped_and_started(self, site: Site) -> None:
        made = channel(site.vera.user, NOON)
        path = f"{CHANNELS}{made.pk}/"
        tell(incident(NOON, device=site.device), NOON)
        stopped = site.vera.patch(path, {"stopped": True})
        assert (stopped.json()["state"], states()) == ("stopped", [(OPENED, "dropped")])
        started = site.vera.patch(path, {"stopped": False})
        assert started.json()["state"] == "active"

    def test_deleted_with_its_log(self, site: Site) -> None:
        made, other = channel(site.vera.user, NOON), channel(site.olga.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        assert site.vera.delete(f"{CHANNELS}{made.pk}/").status == 204
        assert list(Channel.objects.all()) == [other]
        assert list(Delivery.objects.values_list("channel", flat=True)) == [other.pk]


class TestTrying:
    def test_it_works(self, site: Site) -> None:
        made = channel(site.vera.user, NOON, name="Mine")
        answer = site.vera.post(f"{CHANNELS}{made.pk}/test/")
        told = answer.json()
        assert (answer.status, told["type"], told["state"], told["channel"]) == (202, TEST, "waiting", "Mine")
        assert site.vera.read("/api/deliveries/")["results"] == [told]

    def test_one_a_minute(self, site: Site, clock: Any) -> None:
        made = channel(site.vera.user, NOON)
        path = f"{CHANNELS}{made.pk}/test/"
        assert site.vera.post(path).status == 202
        again = site.vera.post(path)
        assert (again.status, again.headers["retry-after"]) == (429, "60")
        clock.shift(timedelta(seconds=60))
        assert site.vera.post(path).status == 202

    @pytest.mark.alike
    @pytest.mark.parametrize("fields", [{"verified_at": None}, {"stopped_at": NOON}], ids=str)
    def test_only_an_active_one(self, site: Site, fields: dict[str, Any]) -> None:
        made = channel(site.vera.user, NOON, **fields)
        refused = site.vera.post(f"{CHANNELS}{made.pk}/test/")
        assert (refused.status, refused.json()["code"]) == (409, "channel_not_active")


def test_a_person_goes_with_their_channels(site: Site) -> None:
    channel(site.vera.user, NOON)
    tell(incident(NOON, device=site.device), NOON)
    User.objects.get(username="vera").delete()
    assert not Channel.objects.exists()
