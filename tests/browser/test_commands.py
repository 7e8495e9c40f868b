"""A device's commands in a real browser: sent from a dialog, and watched until the device has carried them out."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.harness import SCHEMES, SMALL, Visit, visitor
from tests.support.server import ADMIN, PASSWORD, LiveServer

pytestmark = pytest.mark.browser

COMMANDS = "/devices/OZ-7/commands/"


class Machine:
    """The ESP32 of OZ-7. Its `mac` is nobody else's."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)
        signed_in = self._client.post("/api/auth/token/", json={"username": ADMIN, "password": PASSWORD}).json()
        staff = {"Authorization": f"Bearer {signed_in['data']['access_token']}"}
        shaken = self._client.post("/api/handshake/", json={"mac": "02:F1:EE:70:01:07"}).json()
        facts = {"device_id": "OZ-7", "name": "Bay 7"}
        assert self._client.patch(f"/api/devices/{shaken['device_id']}/", json=facts, headers=staff).status_code == 200
        self._client.headers["Authorization"] = f"Bearer {shaken['token']}"

    def poll(self) -> list[dict[str, Any]]:
        reply = self._client.get("/api/device/OZ-7/commands/")
        assert reply.status_code == 200, reply.text
        commands: list[dict[str, Any]] = reply.json()["commands"]
        return commands

    def report(self, command: dict[str, Any], **result: Any) -> None:
        reply = self._client.post(f"/api/device/OZ-7/commands/{command['command_id']}/", json=result)
        assert reply.status_code == 200, reply.text

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def machine(server: LiveServer) -> Iterator[Machine]:
    machine = Machine(server.url)
    yield machine
    machine.close()


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def send(page: Page, kind: str, **fields: str) -> None:
    page.get_by_role("link", name="Send a command").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Command", exact=True).select_option(kind)
    for label, value in fields.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name="Send").click()


def test_watched_from_pending_to_executed(visit: Visit, machine: Machine) -> None:
    page = visit.page
    visit.sign_in()
    page.goto(COMMANDS)
    expect(page.get_by_text("Has never asked for commands.")).to_be_visible()
    send(page, "UPDATE_SETTINGS", Payload='{"poll_seconds": 30}', Description="For the summer")
    expect(page.get_by_role("status").first).to_contain_text("UPDATE_SETTINGS waits for Bay 7 to ask for it.")
    row = rows(page).first
    expect(row).to_contain_text("Pending")
    page.evaluate("window.isStillHere = true")
    row.locator("summary").click()
    [command] = machine.poll()
    expect(row).to_contain_text("Sent")
    expect(page.get_by_text("It asks about every 30 seconds.")).to_be_visible()
    expect(page.get_by_role("list", name="Commands by state")).to_contain_text("1 sent")
    machine.report(command, success=True, message="Settings taken", response_data={"poll_seconds": 30})
    expect(row).to_contain_text("Executed")
    expect(row).to_contain_text("Settings taken")
    expect(row.get_by_text('{"poll_seconds": 30}').first).to_be_visible()  # opened by hand, and still open
    assert page.evaluate("window.isStillHere") is True


def test_a_mistake_in_the_payload_loses_nothing(visit: Visit, machine: Machine) -> None:
    page = visit.page
    visit.sign_in()
    page.goto(COMMANDS)
    count = rows(page).count()
    send(page, "UPDATE_SETTINGS", Payload='{"poll_seconds": }', Description="A typo")
    expect(page.get_by_text("Not valid JSON, in line 1 at character 18")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("A typo")
    page.get_by_label("Payload").fill('{"poll_seconds": 60}')
    page.get_by_role("button", name="Send").click()
    page.wait_for_url(f"**{COMMANDS}")
    expect(rows(page)).to_have_count(count + 1)


def test_retry_and_cancel_by_keyboard(visit: Visit, machine: Machine) -> None:
    page = visit.page
    visit.sign_in()
    page.goto(COMMANDS)
    send(page, "SYNC_TIME")
    for command in machine.poll():
        machine.report(command, success=False, message="No network time")
    retry = rows(page).first.get_by_role("link", name="Retry SYNC_TIME")
    retry.focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog")
    expect(question.get_by_role("heading", name="Retry SYNC_TIME")).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(retry).to_be_focused()
    page.keyboard.press("Enter")
    question.get_by_role("button", name="Retry").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("SYNC_TIME waits for Bay 7 once more.")
    expect(rows(page).first).to_contain_text("retry 1")
    rows(page).first.get_by_role("link", name="Cancel SYNC_TIME").press("Enter")
    question.get_by_role("button", name="Cancel the command").press("Enter")
    expect(rows(page).first).to_contain_text("Cancelled")
    assert [command["command_type"] for command in machine.poll()].count("SYNC_TIME") == 0


def test_without_scripts(browser: Browser, server: LiveServer, machine: Machine) -> None:
    with visitor(browser, server.url, java_script_enabled=False) as visit:
        page = visit.page
        visit.sign_in()
        page.goto(COMMANDS)
        page.get_by_role("link", name="Send a command").click()
        page.get_by_label("Command", exact=True).select_option("GET_STATUS")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url(f"**{COMMANDS.removesuffix('/')}")
        expect(rows(page).first).to_contain_text("GET_STATUS")
        rows(page).first.get_by_role("link", name="Cancel GET_STATUS").click()
        page.get_by_role("button", name="Cancel the command").click()
        expect(rows(page).first).to_contain_text("Cancelled")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone(browser: Browser, server: LiveServer, machine: Machine, scheme: str) -> None:
    with visitor(browser, server.url, viewport=SMALL, color_scheme=scheme) as visit:
        page = visit.page
        visit.sign_in()
        page.goto(COMMANDS)
        send(page, "UPDATE_SETTINGS", Payload=f'{{"{"k" * 300}": 1}}', Description="d" * 500)
        expect(rows(page).first).to_contain_text("Pending")
        rows(page).first.locator("summary").click()
        assert visit.too_wide() == []
        page.goto(f"{COMMANDS}send/")
        assert visit.too_wide() == []
