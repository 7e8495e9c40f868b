"""Steps 1 to 5: each failing alone, in the contract's order, with its code; and when stations are off."""

import base64
import time
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import override_settings
from pytest_django import Settings

from ozone.accounts.tokens import issue
from stations.models import Station, SyncLog
from stations.tests.cast import DATA, SECRET, SERIAL, SETTINGS, VERIFY, Connector, compact, full, make_connector
from stations.tests.cast import signature as sign
from tests.support.doors import Door

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stations_are_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


@pytest.fixture
def connector() -> Connector:
    return Connector(make_connector())


def said(reply: Any) -> tuple[int, str]:
    answer = reply.json()
    assert answer["success"] is False and answer["message"]
    assert set(answer) <= {"success", "message", "error", "errors", "data"}
    return reply.status_code, answer["error"]


def vera() -> User:
    return User.objects.create_user("vera", "vera@example.com", "a long walk to the well")


# Each entry breaks one thing; all that stand before it are right. Sent together, the first one decides.
BREAKS: list[tuple[str, tuple[int, str], dict[str, Any]]] = [
    ("address", (403, "IP_NOT_ALLOWED"), {"peer": "198.51.100.1"}),
    ("token", (401, "AUTHENTICATION_FAILED"), {"headers": {"Authorization": "Bearer nonsense"}}),
    ("missing", (403, "MISSING_HEADERS"), {"headers": {"X-Signature": None}}),
    ("timestamp", (400, "INVALID_TIMESTAMP"), {"at": "12a"}),
    ("kind", (400, "INVALID_CONTENT_TYPE"), {"content_type": "text/plain"}),
    ("clock", (403, "TIMESTAMP_EXPIRED"), {"at": "1000"}),
    ("signature", (403, "INVALID_SIGNATURE"), {"secret": "another secret"}),
    ("body", (400, "VALIDATION_ERROR"), {"message": b'{"type": "full"}'}),
]


@pytest.mark.parametrize("path", [DATA, VERIFY])
@pytest.mark.parametrize("number", range(len(BREAKS)))
@pytest.mark.sqlite_only
def test_each_check_alone_and_before_all_that_follow(
    connector: Connector, settings: Settings, number: int, path: str
) -> None:
    settings.IOT_SYSTEM_ALLOWED_IPS = ["203.0.113.0/24"]
    name, expected, broken = BREAKS[number]
    assert said(connector.send(**({"message": full()} | broken), path=path)) == expected, name
    together: dict[str, Any] = {"message": full()}
    headers: dict[str, Any] = {}
    for _, _, also in reversed(BREAKS[number:]):
        headers |= also.get("headers", {})
        together |= {key: value for key, value in also.items() if key != "headers"}
    assert said(connector.send(**together, headers=headers, path=path)) == expected, name
    assert Station.objects.count() == 0


def test_it_works(connector: Connector) -> None:
    assert connector.send(full()).status_code == 200


@pytest.mark.sqlite_only
class TestAddress:
    @pytest.mark.parametrize(
        ("allowed", "peer", "status"),
        [
            (["203.0.113.9"], "203.0.113.9", 200),
            (["203.0.113.9"], "::ffff:203.0.113.9", 200),
            (["203.0.113.8"], "203.0.113.9", 403),
            (["10.0.0.0/8", " 203.0.113.0/24 "], "203.0.113.9", 200),
            (["2001:db8::/32"], "2001:db8::7", 200),
            (["2001:db8::/32"], "203.0.113.9", 403),
            (["203.0.113.9"], "", 403),
            ([], "203.0.113.9", 200),
            ([""], "203.0.113.9", 200),
        ],
    )
    def test_list(self, connector: Connector, settings: Settings, allowed: list[str], peer: str, status: int) -> None:
        settings.IOT_SYSTEM_ALLOWED_IPS = allowed
        assert connector.send(full(), peer=peer).status_code == status

    def test_behind_a_trusted_proxy_only(self, connector: Connector, settings: Settings) -> None:
        settings.IOT_SYSTEM_ALLOWED_IPS = ["203.0.113.9"]
        forwarded: dict[str, str | None] = {"X-Forwarded-For": "203.0.113.9"}
        assert connector.send(full(), peer="192.0.2.1", headers=forwarded).status_code == 403
        settings.TRUSTED_PROXIES = ["192.0.2.1"]
        assert connector.send(full(), peer="192.0.2.1", headers=forwarded).status_code == 200


class TestCaller:
    def test_nobody(self, connector: Connector) -> None:
        for value in (None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c"):
            reply = connector.send(full(), headers={"Authorization": value})
            assert said(reply) == (401, "AUTHENTICATION_FAILED"), value

    def test_a_session_is_not_enough(self, connector: Connector) -> None:
        connector.client.force_login(make_connector("other"))
        assert said(connector.send(full(), headers={"Authorization": None})) == (401, "AUTHENTICATION_FAILED")

    @pytest.mark.parametrize(("staff", "superuser"), [(False, False), (True, False), (False, True)])
    def test_not_enough_rights(self, connector: Connector, staff: bool, superuser: bool) -> None:
        user = vera()
        user.is_staff, user.is_superuser = staff, superuser
        user.save()
        connector.token = issue(user, as_staff=False)[0]
        assert said(connector.send(full())) == (403, "PERMISSION_DENIED")

    def test_a_deactivated_account(self) -> None:
        user = make_connector()
        connector = Connector(user)
        User.objects.update(is_active=False)
        assert said(connector.send(full())) == (401, "AUTHENTICATION_FAILED")

    def test_a_superuser_without_the_group(self) -> None:
        root = User.objects.create_superuser("root", "root@example.com", "a long walk to the well")
        assert Connector(root).send(full()).status_code == 200

    def test_thousands_of_stations_behind_one_account(self, connector: Connector, settings: Settings) -> None:
        settings.LIMIT_PERSON_CALLS = "2/10"
        assert [connector.send(full(serial=f"s{n}")).status_code for n in range(5)] == [200] * 5


@pytest.mark.sqlite_only
class TestHeaders:
    @pytest.mark.parametrize("missing", [["X-Signature"], ["X-Timestamp"], ["X-Signature", "X-Timestamp"]])
    def test_missing(self, connector: Connector, missing: list[str]) -> None:
        for empty in (None, ""):
            reply = connector.send(full(), headers=dict.fromkeys(missing, empty))
            assert said(reply) == (403, "MISSING_HEADERS")
            assert reply.json()["message"] == f"Send {' and '.join(missing)}."

    @pytest.mark.parametrize("text", ["-1", "1.5", "1e9", "1234567890123", "１２３", "0x10", "17 ", "now"])
    def test_timestamp(self, connector: Connector, text: str) -> None:
        if text == "17 ":  # a server strips it; what came is what was signed
            assert said(connector.send(full(), at=text)) in [(400, "INVALID_TIMESTAMP"), (403, "TIMESTAMP_EXPIRED")]
        else:
            assert said(connector.send(full(), headers={"X-Timestamp": text})) == (400, "INVALID_TIMESTAMP")

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("application/json", 200),
            ("application/json; charset=UTF-8", 200),
            ("APPLICATION/JSON", 200),
            ("application/json; charset=latin-1", 400),
            ("text/plain", 400),
            ("application/x-www-form-urlencoded", 400),
            ("multipart/form-data; boundary=x", 400),
            ("", 400),
        ],
    )
    def test_content_type(self, connector: Connector, kind: str, status: int) -> None:
        reply = connector.send(full(), content_type=kind)
        assert reply.status_code == status
        if status != 200:
            assert said(reply) == (400, "INVALID_CONTENT_TYPE")

    def test_compressed(self, connector: Connector) -> None:
        assert said(connector.send(full(), headers={"Content-Encoding": "gzip"})) == (400, "INVALID_CONTENT_TYPE")

    @pytest.mark.parametrize(
        ("off", "status"), [(-300, 200), (-301, 403), (300, 200), (301, 403), (-10, 200), (3600, 403)]
    )
    def test_clock(self, connector: Connector, off: int, status: int) -> None:
        now = int(time.time())
        with time_machine.travel(now, tick=False):
            reply = connector.send(full(), at=now + off)
        assert reply.status_code == status
        if status == 403:
            assert said(reply) == (403, "TIMESTAMP_EXPIRED")

    def test_another_span(self, connector: Connector, settings: Settings) -> None:
        settings.IOT_SYSTEM_SIGNATURE_TIMEOUT = 5
        assert said(connector.send(full(), at=int(time.time()) - 10)) == (403, "TIMESTAMP_EXPIRED")


@pytest.mark.sqlite_only
class TestSignature:
    @pytest.mark.parametrize(
        "body",
        [
            compact(full()),
            b"  " + compact(full()) + b"\n",
            compact(full()).replace(b",", b" ,\r\n\t "),
            compact(full()).replace("é".encode(), b"\\u00e9"),
            compact(full() | {"padding": "ä" * (125 * 1024)}),
        ],
        ids=["compact", "newline", "spaces", "escaped", "250 KiB"],
    )
    def test_over_the_raw_bytes(self, connector: Connector, body: bytes) -> None:
        reply = connector.send(body)
        assert reply.status_code == 200, reply.content
        assert Station.objects.get().wifi_ssid == "Café 漢字 🔋"

    def test_of_other_spellings_of_the_same_value(self, connector: Connector) -> None:
        body, now = compact(full()), str(int(time.time()))
        headers: dict[str, str | None] = {"X-Signature": sign(body, now), "X-Timestamp": now}
        assert said(connector.send(body + b" ", headers=headers)) == (403, "INVALID_SIGNATURE")

    @pytest.mark.parametrize("spoil", ["hex", "urlsafe", "unpadded", "lower", "newline", "non-ascii", "twice"])
    def test_of_another_form(self, connector: Connector, spoil: str) -> None:
        body, now = compact(full()), str(int(time.time()))
        right = sign(body, now)
        wrong = {
            "hex": base64.b64decode(right).hex(),
            "urlsafe": right.replace("+", "-").replace("/", "_").replace("=", ""),
            "unpadded": right.rstrip("="),
            "lower": right.swapcase(),
            "newline": right[:20] + " " + right[20:],
            "non-ascii": "ä" + right,
            "twice": f"{right}, {right}",
        }[spoil]
        reply = connector.send(body, headers={"X-Signature": wrong, "X-Timestamp": now})
        assert said(reply) == (403, "INVALID_SIGNATURE")

    def test_the_previous_secret(self, connector: Connector, settings: Settings) -> None:
        settings.IOT_SYSTEM_SIGNATURE_SECRET = "the next secret of the partner's system"
        assert said(connector.send(full())) == (403, "INVALID_SIGNATURE")
        settings.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS = SECRET
        assert connector.send(full()).status_code == 200
        assert connector.send(full(), secret=settings.IOT_SYSTEM_SIGNATURE_SECRET).status_code == 200
        assert said(connector.send(full(), secret="neither")) == (403, "INVALID_SIGNATURE")

    def test_an_empty_secret_never_verifies(self, connector: Connector, settings: Settings) -> None:
        settings.IOT_SYSTEM_SIGNATURE_SECRET = ""
        settings.STATIONS_ENABLED = "1"
        assert said(connector.send(full(), secret="")) == (403, "INVALID_SIGNATURE")

    def test_no_secret_and_no_signature_is_ever_told(
        self, connector: Connector, caplog: pytest.LogCaptureFixture
    ) -> None:
        body, now = compact(full()), str(int(time.time()))
        wrong = sign(body, now, "another")
        for path in (DATA, VERIFY):
            reply = connector.send(body, path=path, headers={"X-Signature": wrong, "X-Timestamp": now})
            for secret in (SECRET, wrong, sign(body, now)):
                assert secret not in reply.content.decode() + caplog.text
        assert "signature" in caplog.text


@pytest.mark.alike
class TestLog:
    """What the seed's two greps find in it."""

    @pytest.mark.parametrize(
        ("error", "broken"),
        [
            ("MISSING_HEADERS", {"headers": {"X-Signature": None}}),
            ("INVALID_TIMESTAMP", {"at": "soon"}),
            ("TIMESTAMP_EXPIRED", {"at": "1000"}),
            ("INVALID_SIGNATURE", {"secret": "another"}),
        ],
    )
    @pytest.mark.parametrize(("path", "view"), [(DATA, "StationDataInternalView"), (VERIFY, "StationVerifyView")])
    @pytest.mark.sqlite_only
    def test_signatures_that_fail(
        self, connector: Connector, caplog: pytest.LogCaptureFixture, error: str, broken: Any, path: str, view: str
    ) -> None:
        connector.send(full(), path=path, **broken)
        line = caplog.messages[0]
        assert line.startswith(f"{view}: signature check failed, refused {error}, from 203.0.113.9, body of ")

    def test_it_says_who_and_why(self, connector: Connector, caplog: pytest.LogCaptureFixture) -> None:
        connector.send(full() | {"device": {"serial_number": SERIAL, "status": "GONE\nINFO all is well"}})
        assert "from 203.0.113.9, body of " in caplog.messages[0]
        assert "device.status: Invalid enum value" in caplog.messages[0]
        assert "signature" not in caplog.text
        assert "\nINFO all" not in caplog.text

    def test_a_caller_from_elsewhere(
        self, connector: Connector, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.IOT_SYSTEM_ALLOWED_IPS = ["192.0.2.1"]
        connector.send(full())
        assert caplog.messages[0].startswith("StationDataInternalView: refused IP_NOT_ALLOWED, from 203.0.113.9: ")

    def test_who_still_has_the_previous_secret(
        self, connector: Connector, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "stations")
        settings.IOT_SYSTEM_SIGNATURE_SECRET = "the next secret of the partner's system"
        settings.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS = SECRET
        connector.send(full())
        assert "StationDataInternalView: signature made with the previous secret, from 203.0.113.9" in caplog.text
        caplog.clear()
        connector.send(full(), secret=settings.IOT_SYSTEM_SIGNATURE_SECRET)
        assert "previous" not in caplog.text


class TestOff:
    PATHS = (DATA, VERIFY, "/api/stations/", f"/api/stations/{SERIAL}/", "/api/power-banks/")

    @pytest.mark.alike
    @pytest.mark.parametrize("change", [{"IOT_SYSTEM_SIGNATURE_SECRET": ""}, {"STATIONS_ENABLED": "0"}])
    def test_everything_is_404(self, connector: Connector, change: dict[str, str]) -> None:
        with override_settings(**change):
            for path in self.PATHS:
                for method in ("GET", "POST", "DELETE"):
                    assert said(connector.send(full(), path=path, method=method)) == (404, "NOT_FOUND")
        assert SyncLog.objects.count() == 0

    def test_on_by_word(self, connector: Connector, settings: Settings) -> None:
        settings.STATIONS_ENABLED = "on"
        assert connector.send(full()).status_code == 200


class TestOtherErrors:
    @pytest.mark.parametrize("path", [DATA, DATA + "/", VERIFY, VERIFY + "/"])
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
    @pytest.mark.sqlite_only
    def test_methods(self, connector: Connector, path: str, method: str) -> None:
        reply = connector.send(full(), path=path, method=method)
        assert said(reply) == (405, "METHOD_NOT_ALLOWED")
        assert reply["Allow"] == "POST"

    def test_too_large(self, connector: Connector) -> None:
        assert said(connector.send(full() | {"x": "y" * 256 * 1024})) == (413, "BODY_TOO_LARGE")

    def test_host(self, connector: Connector) -> None:
        assert said(connector.send(full(), headers={"Host": "evil.example"})) == (400, "BAD_HOST")

    def test_plain_http(self, connector: Connector, settings: Settings) -> None:
        settings.ALLOW_PLAIN_HTTP = False
        assert said(connector.send(full())) == (403, "HTTPS_REQUIRED")

    @pytest.mark.both_doors
    def test_what_no_view_refuses_has_the_same_shape(self, door: Door) -> None:
        answer = door.send("POST", DATA, b"x" * 300 * 1024, {"Content-Type": "application/json"})
        assert (answer.status, answer.json()["error"], answer.json()["success"]) == (413, "BODY_TOO_LARGE", False)
