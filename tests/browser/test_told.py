"""From a machine that falls silent to the message on a phone, and back: told, looked at, taken in hand, over."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser.harness import visitor
from tests.support.server import ADMIN, PASSWORD, LiveServer, live_server
from tests.support.sinks import SmtpSink, smtp_sink, until, words_of

pytestmark = pytest.mark.browser

PHONE: Final[Any] = {"viewport": {"width": 360, "height": 740}}
MAC: Final = "02:00:00:00:0A:11"


@pytest.fixture(scope="module")
def letters() -> Iterator[SmtpSink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def server(letters: SmtpSink) -> Iterator[LiveServer]:
    """One that sends e-mail."""
    mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(letters.port), "DEFAULT_FROM_EMAIL": "ozone@example.com"}
    with live_server(start=False) as server:
        server.environment.update(mail, PUBLIC_URL=server.url)
        server.start()
        yield server


class Machine:
    """With its device, as the server knows them."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._client = httpx.Client(base_url=server.url, timeout=15)
        signed_in = self._ask("POST", "/api/auth/token/", {"username": ADMIN, "password": PASSWORD})
        staff = signed_in["data"]["access_token"]
        outlet = self._ask("POST", "/api/outlets/", {"name": "Chai Chee"}, staff)["id"]
        self._token = self._ask("POST", "/api/handshake/", {"mac": MAC})["token"]
        place = {"device_id": MAC, "outlet_id": outlet, "name": "CH1"}
        self._ask("POST", "/api/machines/register/", place, staff)

    def _ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        reply = self._client.request(method, path, json=body, headers=headers)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def polls(self) -> None:
        self._ask("GET", f"/api/device/{MAC}/commands/", token=self._token)

    def was_last_heard(self, ago: timedelta) -> None:
        """As the database would have it by then, the server having listened all the time. Whoever looks may just have
        looked, and push the time on: then it is set once more."""
        heard = _now(-ago)
        file = self._server.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as database:

            def is_found() -> bool:
                database.execute("UPDATE alerts_beat SET counting_from = ?", [_now(-2 * ago)])
                database.execute("UPDATE device_gateway_devicestate SET last_poll = ?, last_seen = ?", [heard, heard])
                database.execute("UPDATE alerts_watch SET alert_after = ? WHERE alert_after IS NOT NULL", [heard])
                time.sleep(1)
                return bool(database.execute("SELECT 1 FROM alerts_incident").fetchall())

            until(is_found, 40)


def _now(later: timedelta = timedelta()) -> str:
    return f"{datetime.now(UTC) + later:%F %T}"


def test_a_machine_dies(browser: Browser, server: LiveServer, letters: SmtpSink) -> None:
    machine = Machine(server)
    machine.polls()
    with visitor(browser, server.url, **PHONE) as visit:
        page = visit.page
        visit.sign_in()
        page.goto("/channels/")
        page.get_by_role("link", name="Add a channel").click()
        page.get_by_label("By").select_option("E-mail")
        page.get_by_label("To").fill("olga@example.com")
        page.get_by_label("Name").fill("My phone")
        page.get_by_role("button", name="Add it").click()
        until(lambda: len(letters.letters) == 1)
        (code,) = re.findall(r"\b\d{8}\b", text_of(letters, 0))
        page.get_by_role("link", name="Verify").click()
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Verify").click()
        page.get_by_text("My phone is verified").wait_for()
        page.goto("/incidents/rules/set/")
        page.get_by_label("What").select_option("Silent")
        page.get_by_label("Outlet", exact=True).select_option("Chai Chee")
        page.get_by_label("After so many minutes").fill("30")
        page.get_by_role("button", name="Set it").click()
        page.get_by_role("cell", name="after 30 min").wait_for()
        assert visit.too_wide() == []

        machine.was_last_heard(timedelta(minutes=40))
        until(lambda: len(letters.letters) == 2, 90)
        assert "Silent: CH1 at Chai Chee" in letters.letters[1]["Subject"]
        (link,) = re.findall(rf"{server.url}/incidents/\d+/", text_of(letters, 1))
        page.goto(link)
        page.get_by_role("heading", name="Silent: CH1 at Chai Chee").wait_for()
        assert visit.too_wide() == []
        page.get_by_role("link", name="Acknowledge").click()
        page.get_by_label("Note").fill("On my way")
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_text("On my way").wait_for()

        machine.polls()
        page.get_by_text("ended", exact=True).wait_for(timeout=30_000)
        until(lambda: len(letters.letters) == 3, 90)
        assert "CH1 at Chai Chee" in letters.letters[2]["Subject"]
        page.goto("/")
        assert page.get_by_role("link", name="1 incident").count() == 0


def text_of(letters: SmtpSink, number: int) -> str:
    return words_of(letters.letters[number])
