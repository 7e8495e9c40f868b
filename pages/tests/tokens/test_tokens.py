"""The token page: issuing, the one showing of a token, and the two lists."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import segno
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from device_gateway.claims import services
from device_gateway.claims.services import MAX_LIFETIME_MINUTES
from device_gateway.keys.memory import store_key_uses
from device_gateway.models import Credential, Device, ProvisioningToken
from device_gateway.registry.services import archive_device
from device_gateway.secret import hash_secret
from pages.kit import once
from pages.kit.live import TAGS, VERSION
from pages.kit.queries import CHOICES
from pages.tests.conftest import ACTIONS, TOKENS, Issue, SignIn, claim, key_of, token_of
from tests.support.claims import claimed

NOW = datetime(2025, 9, 16, 12, tzinfo=UTC)


def options_of(reply: Any) -> list[str]:
    """The devices that one may choose."""
    select = reply.content.decode().split('id="id_device"')[1].split("</select>")[0]
    return re.findall(r'<option value="\d+">([^<]*)<', select)


@pytest.mark.django_db
class TestIssue:
    def test_it_works(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        with time_machine.travel(NOW, tick=False):
            reply = issue(signed_in(vera), meter, notes="Line A ESP32", lifetime_minutes="60")
        token = token_of(reply)
        row = ProvisioningToken.objects.get()
        assert reply.status_code == 200
        assert row.token_hash == hash_secret(token)
        assert (row.device, row.issued_by, row.notes) == (meter, vera, "Line A ESP32")
        assert (row.created_at, row.expires_at) == (NOW, NOW + timedelta(hours=1))
        at_one = '<time datetime="2025-09-16T13:00:00Z" title="2025-09-16 13:00:00 UTC" tabindex="-1">2025-09-16 13:00<'
        assert at_one in reply.content.decode()

    def test_shown_this_once(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        client = signed_in(vera)
        reply = issue(client, meter)
        token = token_of(reply)
        assert reply.content.decode().count(token) == 1
        assert "no-store" in reply["Cache-Control"]
        assert token not in client.get(TOKENS).content.decode()
        assert token not in str(client.session.items())
        assert token not in str(client.cookies)
        for session in Session.objects.all():
            assert token not in str(session.get_decoded())

    def test_qr_code_holds_the_token(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        reply = issue(signed_in(vera), meter)
        svg = reply.content.decode().split('aria-label="QR code of the token">')[1].split("</div>")[0]
        expected = segno.make_qr(token_of(reply), error="m")
        assert svg == expected.svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
        root = ElementTree.fromstring(svg)
        assert {element.tag for element in root.iter()} == {"svg", "path"}
        assert all("style" not in element.attrib for element in root.iter())

    @pytest.mark.alike
    def test_loaded_again_it_issues_no_other(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        client = signed_in(vera)
        key = key_of(client.get(TOKENS))
        token = token_of(issue(client, meter, key=key))
        assert token_of(issue(client, meter, key=key)) == token
        assert ProvisioningToken.objects.count() == 1
        assert token_of(issue(client, meter))
        assert ProvisioningToken.objects.count() == 2

    @pytest.mark.alike
    def test_a_refused_form_can_be_sent_again(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        client = signed_in(vera)
        refused = issue(client, meter, lifetime_minutes="0")
        assert token_of(issue(client, meter, key=key_of(refused), lifetime_minutes="1"))

    @pytest.mark.alike
    def test_staff_issue_for_any_device(self, signed_in: SignIn, issue: Issue, olga: User, meter: Device) -> None:
        assert token_of(issue(signed_in(olga), meter))
        assert ProvisioningToken.objects.get().issuer_name == "olga"

    @pytest.mark.alike
    def test_anothers_device(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device, pump: Device) -> None:
        client = signed_in(vera)
        assert issue(client, pump).status_code == 404
        pump.pk = 999
        assert issue(client, pump).status_code == 404
        assert not ProvisioningToken.objects.exists()

    def test_archived_device(self, signed_in: SignIn, issue: Issue, olga: User, meter: Device, pump: Device) -> None:
        archive_device(device=meter, now=NOW)
        assert issue(signed_in(olga), meter).status_code == 404

    def test_signed_out(self, client: Client, meter: Device) -> None:
        reply = client.post(ACTIONS, {"device": meter.pk})
        assert (reply.status_code, reply["Location"]) == (302, f"/login/?next={ACTIONS}")
        assert not ProvisioningToken.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("lifetime_minutes", "0"),
            ("lifetime_minutes", "-5"),
            ("lifetime_minutes", "1.5"),
            ("lifetime_minutes", "soon"),
            ("lifetime_minutes", str(MAX_LIFETIME_MINUTES + 1)),
            ("notes", "x" * 501),
            ("notes", "a\0b"),
            ("encryption", "ROT13"),
        ],
    )
    @pytest.mark.sqlite_only
    def test_malformed(
        self, signed_in: SignIn, issue: Issue, vera: User, meter: Device, field: str, value: str
    ) -> None:
        reply = issue(signed_in(vera), meter, **{field: value})
        assert reply.status_code == 200
        assert f'id="id_{field}_error"' in reply.content.decode()
        assert not ProvisioningToken.objects.exists()

    @pytest.mark.alike
    def test_no_device_chosen(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        assert b'id="id_device_error"' in issue(signed_in(vera), None).content

    def test_encryption(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device, settings: Settings) -> None:
        client = signed_in(vera)
        assert token_of(issue(client, meter, encryption="AESGCM"))
        assert ProvisioningToken.objects.get().encryption == "AESGCM"
        settings.DEVICE_DATA_KEY = []
        assert b"id_encryption" not in client.get(TOKENS).content
        issue(client, meter, encryption="AESGCM")
        assert ProvisioningToken.objects.filter(encryption="").count() == 1

    @pytest.mark.alike
    def test_what_people_write_is_escaped(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        evil = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
        Device.objects.filter(pk=meter.pk).update(name=evil, location=evil)
        claim(meter, vera, notes=evil)
        html = issue(signed_in(vera), meter, notes=evil).content.decode()
        assert "<script>alert" not in html
        assert "<img" not in html
        assert html.count("&lt;script&gt;alert") >= 4


@pytest.mark.django_db(transaction=True)
def test_one_form_sent_twice_at_once(signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
    client = signed_in(vera)
    key = key_of(client.get(TOKENS))
    replies: list[Any] = []
    start = threading.Barrier(4)

    def send() -> None:
        twin = Client()
        twin.cookies.update(client.cookies)
        start.wait()
        replies.append(issue(twin, meter, key=key))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status_code for reply in replies] == [200] * 4
    assert {hash_secret(token_of(reply)) for reply in replies} == {ProvisioningToken.objects.get().token_hash}


@pytest.mark.django_db
class TestChoice:
    @pytest.mark.alike
    def test_one_sees_ones_own_devices(
        self, signed_in: SignIn, vera: User, olga: User, meter: Device, pump: Device
    ) -> None:
        assert options_of(signed_in(vera).get(TOKENS)) == [f"Factory Meter 1 · dev-{meter.pk} · Line A"]
        assert options_of(signed_in(olga).get(TOKENS)) == [
            f"Factory Meter 1 · dev-{meter.pk} · Line A · of vera",
            f"Pump station · dev-{pump.pk} · of sam",
        ]

    def test_no_devices_yet(self, signed_in: SignIn, vera: User) -> None:
        html = signed_in(vera).get(TOKENS).content.decode()
        assert "Ask an operator to add one" in html
        assert "Generate token" not in html

    def test_among_many(self, signed_in: SignIn, issue: Issue, vera: User, meter: Device) -> None:
        Device.objects.bulk_create(
            [Device(name=f"Meter {i:05}", owner=vera, device_id=f"m-{i:05}") for i in range(CHOICES * 5)]
        )
        client = signed_in(vera)
        reply = client.get(TOKENS)
        assert len(options_of(reply)) == CHOICES
        assert f"The first {CHOICES} that fit, of {CHOICES * 5 + 1} devices." in reply.content.decode()
        found = client.get(TOKENS, {"q": "meter 00042"})
        assert options_of(found) == ["Meter 00042 · m-00042"]
        # A device that is not among those offered is theirs all the same.
        assert token_of(issue(client, Device.objects.get(device_id="m-00999")))

    @pytest.mark.each_case
    @pytest.mark.parametrize("words", ["factory", "line a", "ec:e3", "ECE334462BC0", "dev-", "meter line"])
    def test_search(self, signed_in: SignIn, vera: User, meter: Device, words: str) -> None:
        meter.mac = "EC:E3:34:46:2B:C0"
        meter.save()
        other = Device.objects.create(name="Compressor", owner=vera, device_id="compressor")
        options = options_of(signed_in(vera).get(TOKENS, {"q": words}))
        assert [option.split(" · ")[0] for option in options] == ["Factory Meter 1"]
        assert options_of(signed_in(vera).get(TOKENS, {"q": str(other.pk)})) != []

    @pytest.mark.each_case
    @pytest.mark.parametrize("words", ["%", "'", "nothing like it", "9" * 30, "\0nothing\0"])
    def test_search_finds_nothing(self, signed_in: SignIn, vera: User, meter: Device, words: str) -> None:
        reply = signed_in(vera).get(TOKENS, {"q": words})
        assert (reply.status_code, options_of(reply)) == (200, [])

    def test_what_was_searched_for_is_escaped(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        assert b"<script>alert" not in signed_in(vera).get(TOKENS, {"q": '"><script>alert(1)</script>'}).content


@pytest.mark.django_db
class TestLists:
    def pending(self, client: Client) -> str:
        return str(client.get(TOKENS).content.decode()).split('id="pending"')[1].split('id="claims"')[0]

    def claims(self, client: Client) -> str:
        return str(client.get(TOKENS).content.decode()).split('id="claims"')[1]

    def test_a_pending_token(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        issued = services.issue_token(device=meter, issuer=vera, now=NOW, notes="Line A ESP32")
        html = self.pending(signed_in(vera))
        for part in (
            f"Factory Meter 1 <small>dev-{meter.pk}</small>",
            f"<code>{issued.row.prefix}…</code>",
            ">vera</td>",
            '<time datetime="2025-09-16T12:00:00Z" title="2025-09-16 12:00:00 UTC" tabindex="-1">2025-09-16 12:00<',
            ">never</td>",
            "Line A ESP32",
            '<span class="badge pending">Pending</span>',
            f'action="{ACTIONS}/{issued.row.pk}/revoke"',
        ):
            assert part in html
        assert issued.token not in html

    @pytest.mark.alike
    @pytest.mark.parametrize(("seconds", "state"), [(59, "Pending"), (60, "Expired"), (61, "Expired")])
    def test_expires(self, signed_in: SignIn, vera: User, meter: Device, seconds: int, state: str) -> None:
        services.issue_token(device=meter, issuer=vera, now=NOW, lifetime_minutes=1)
        client = signed_in(vera)
        with time_machine.travel(NOW + timedelta(seconds=seconds), tick=False):
            html = self.pending(client)
        assert f">{state}</span>" in html
        assert ("Revoke</button>" in html) == (state == "Pending")

    def test_issuer_deactivated(self, signed_in: SignIn, vera: User, olga: User, meter: Device) -> None:
        services.issue_token(device=meter, issuer=olga, now=NOW)
        olga.is_active = False
        olga.save()
        assert '<span class="badge revoked">Revoked</span>' in self.pending(signed_in(vera))

    @pytest.mark.alike
    def test_device_changed_owner(self, signed_in: SignIn, vera: User, sam: User, meter: Device) -> None:
        services.issue_token(device=meter, issuer=vera, now=NOW)
        meter.owner = sam
        meter.save()
        assert '<span class="badge revoked">Revoked</span>' in self.pending(signed_in(sam))
        assert "Factory Meter 1" not in self.pending(signed_in(vera))

    def test_revoked_ones_come_last(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        first, second, third = (services.issue_token(device=meter, issuer=vera, now=NOW).row for _ in range(3))
        services.revoke_token(token=second, now=NOW)
        html = self.pending(signed_in(vera))
        places = [html.index(f"<code>{row.prefix}…") for row in (third, first, second)]
        assert places == sorted(places)

    def test_a_claim(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claimed = claim(meter, vera)
        client = signed_in(vera)
        assert "No token is waiting" in self.pending(client)
        html = self.claims(client)
        for part in ("Factory Meter 1", ">vera</td>", "203.0.113.9", ">Claimed</span>", f"{claimed.api_key[:8]}…"):
            assert part in html
        assert f'href="{ACTIONS}/revoke-key?device={meter.pk}"' in html
        assert claimed.api_key not in html

    def test_notes_and_metadata_of_a_claim(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claim(meter, vera, notes="Bay <4>", metadata={"order": 17}, told={"fw": "1.0.0", "chip": "C3"})
        html = self.claims(signed_in(vera))
        for part in ("Bay &lt;4&gt;", ">order 17<", ">device: fw 1.0.0 · chip C3<"):
            assert part in html

    @pytest.mark.alike
    def test_last_fifty_claims(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        for _ in range(51):
            claim(meter, vera)
        assert self.claims(signed_in(vera)).count(">Claimed</span>") == 50

    def test_a_stranger_sees_none_of_it(self, signed_in: SignIn, vera: User, sam: User, meter: Device) -> None:
        services.issue_token(device=meter, issuer=vera, now=NOW)
        claim(meter, vera)
        html = signed_in(sam).get(TOKENS).content.decode()
        assert "Factory Meter" not in html
        assert "vera" not in html

    def test_pages_of_pending_tokens(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        for _ in range(51):
            services.issue_token(device=meter, issuer=vera, now=NOW)
        client = signed_in(vera)
        assert self.pending(client).count("Pending</span>") == 50
        second = client.get(TOKENS, {"page": "2"}).content.decode()
        assert second.count("Pending</span>") == 1
        assert client.get(TOKENS, {"page": "no number"}).status_code == 200

    @pytest.mark.alike
    def test_as_many_queries_for_one_row_as_for_many(self, signed_in: SignIn, olga: User, vera: User) -> None:
        client = signed_in(olga)
        counts = []
        for rows in (1, 20):
            for number in range(rows):
                device = Device.objects.create(name=f"Meter {rows} {number}", owner=vera)
                claim(device, vera)
                services.issue_token(device=device, issuer=olga, now=NOW)
            with CaptureQueriesContext(connection) as queries:
                client.get(TOKENS)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 10


@pytest.mark.django_db
class TestLive:
    def look(self, client: Client, html: str) -> Any:
        """Asks what is new, as the page in `html` does."""
        lists = [
            ",".join("=".join(pair) for pair in re.findall(r'data-key="(.+?)" data-tag="(.+?)"', part))
            for part in html.split('id="claims"')
        ]
        tag = re.findall(r'data-part="pager" data-tag="(.+?)"', html)[0]
        headers = {
            "HX-Request": "true",
            VERSION: re.findall(r'data-version="(.+?)"', html)[0],
            TAGS: f"pending:{lists[0]};claims:{lists[1]};parts:pager={tag}",
        }
        return client.get(TOKENS, headers=headers)

    def test_unchanged(self, signed_in: SignIn, olga: User, meter: Device) -> None:
        services.issue_token(device=meter, issuer=olga, now=NOW)
        client = signed_in(olga)
        html = client.get(TOKENS).content.decode()
        self.look(client, html)  # from now on she is known
        with CaptureQueriesContext(connection) as queries:
            reply = self.look(client, html)
        assert (reply.status_code, reply.content) == (204, b"")
        assert len(queries) == 2  # who looks, and the version

    @pytest.mark.alike
    def test_a_claim_moves_its_row_and_no_other(
        self, signed_in: SignIn, olga: User, meter: Device, pump: Device
    ) -> None:
        services.issue_token(device=pump, issuer=olga, now=NOW, notes="stays")
        issued = services.issue_token(device=meter, issuer=olga, now=NOW, notes="is claimed")
        client = signed_in(olga)
        html = client.get(TOKENS).content.decode()
        key = claimed(issued.token, client="203.0.113.9", now=NOW).api_key
        said = self.look(client, html).content.decode()
        pending, claims = said.split('data-list="claims"')
        assert "<tr" not in pending
        assert 'data-order=""' not in pending
        assert f"{key[:8]}…" in claims
        assert claims.count("not used yet") == 1
        assert once.FIELD not in said

    def test_time_alone_ends_a_token(self, signed_in: SignIn, olga: User, meter: Device) -> None:
        client = signed_in(olga)
        with time_machine.travel(NOW, tick=False) as clock:
            services.issue_token(device=meter, issuer=olga, now=NOW, lifetime_minutes=1)
            client.force_login(olga)
            html = client.get(TOKENS).content.decode()
            clock.move_to(NOW + timedelta(seconds=59))
            assert self.look(client, html).status_code == 204
            clock.move_to(NOW + timedelta(seconds=60))
            assert ">Expired</span>" in self.look(client, html).content.decode()

    @pytest.mark.alike
    def test_the_first_use_of_a_key_is_seen(self, signed_in: SignIn, olga: User, meter: Device) -> None:
        claim(meter, olga)
        client = signed_in(olga)
        html = client.get(TOKENS).content.decode()
        store_key_uses(connection, [(Credential.objects.get().pk, NOW, "192.0.2.1")])
        assert ">in use<" in self.look(client, html).content.decode()
