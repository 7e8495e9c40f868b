"""One device's page in a real browser: it follows the device, and operators act on it in dialogs."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.harness import SMALL, Visit, visitor
from tests.support.server import ADMIN, PASSWORD, LiveServer

pytestmark = pytest.mark.browser

PRESS = {"event": "treatment", "treatment": "PREMIUM", "counter": 1}


class Machine:
    """An ESP32 that has enrolled, in a machine at an outlet, and who operates it."""

    def __init__(self, url: str, mac: str, name: str) -> None:
        self.url = url
        self.mac = mac
        sign_in = httpx.post(f"{url}/api/admin/login", json={"username": ADMIN, "password": PASSWORD}).json()
        self.operator = {"Authorization": f"Bearer {sign_in['data']['access_token']}"}
        token = httpx.post(f"{url}/api/handshake/", json={"mac": mac, "firmware": "1.4.2"}).json()["token"]
        self.key = {"Authorization": f"Bearer {token}"}
        outlet = self.operate("outlets/", {"name": f"Outlet of {name}"})
        self.operate("machines/register/", {"device_id": mac, "outlet_id": outlet["id"], "name": name})

    def operate(self, path: str, value: dict[str, Any]) -> Any:
        reply = httpx.post(f"{self.url}/api/{path}", json=value, headers=self.operator)
        assert reply.status_code == 201, reply.text
        return reply.json()

    def press(self, **fields: Any) -> int:
        reply = httpx.post(f"{self.url}/api/device/events/", json={**PRESS, **fields}, headers=self.key)
        return reply.status_code


def region(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name)


def test_it_follows_the_device_and_a_refused_event_is_made_right(visit: Visit, server: LiveServer) -> None:
    page = visit.page
    machine = Machine(server.url, "EC:E3:34:46:2B:01", "CH1")
    visit.sign_in()
    page.goto(f"/devices/{machine.mac}/")
    expect(page.get_by_role("heading", name=machine.mac)).to_contain_text("online")
    expect(page.get_by_text("has sent no event and no reading")).to_be_visible()
    page.evaluate("window.isStillHere = true")

    assert machine.press(event_id="e-1", counter=41, current_counters={"basic": 7, "standard": 8, "premium": 41}) == 200
    events = region(page, "Recent events").get_by_role("row")
    expect(events).to_have_count(2)
    expect(events.nth(1)).to_contain_text("PREMIUM")
    expect(page.get_by_text("has sent no event and no reading")).to_have_count(0)
    expect(page.locator(".numbers")).to_contain_text("41")

    assert machine.press(event_id="e-2", treatment="GOLD") == 400
    refused = region(page, "Refused events")
    expect(refused).to_contain_text("treatment: Must be BASIC, STANDARD or PREMIUM.")
    accept = refused.get_by_role("link", name="Accept corrected: e-2")
    accept.focus()
    page.keyboard.press("Enter")
    body = page.get_by_role("dialog").get_by_label("The event")
    body.fill(body.input_value().replace("GOLD", "BASIC"))
    assert page.evaluate("window.isStillHere") is True  # all until here without loading the page
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()
    expect(page.get_by_role("status").first).to_contain_text("The event e-2 is stored")
    expect(refused).to_contain_text("accepted")
    expect(events).to_have_count(3)
    assert machine.press(event_id="e-2", treatment="GOLD") == 200


def test_a_device_moves_when_the_operator_says_so_twice(visit: Visit, server: LiveServer) -> None:
    page = visit.page
    machine = Machine(server.url, "EC:E3:34:46:2B:02", "CH2")
    machine.operate("machines/", {"name": "CH3"})
    visit.sign_in()
    page.goto(f"/devices/{machine.mac}/")
    page.get_by_role("link", name="Move to another machine").click()
    page.get_by_role("dialog").get_by_label("Machine", exact=True).select_option(label="CH3 · no outlet · no device")
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("alert")).to_contain_text("The machine CH2 has this device and would lose it.")
    page.get_by_role("button", name="Assign").click()
    page.wait_for_url(f"**/devices/{machine.mac}/")
    rows = region(page, "Machines it was in").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("CH3")
    expect(rows.nth(2)).to_contain_text("CH2")


def test_on_a_phone(browser: Browser, server: LiveServer) -> None:
    machine = Machine(server.url, "EC:E3:34:46:2B:03", "C" * 180)
    assert machine.press(event_id="e" * 128, ts="2025-01-01T00:00:16Z", note="n" * 500) == 200
    assert machine.press(event_id="b" * 128, counter=-1, note="n" * 500) == 400
    assert httpx.post(f"{server.url}/api/handshake/", json={"mac": machine.mac}).status_code == 403
    reading = {"f" * 100: 1.5, "text": "t" * 500}
    for _ in range(2):
        reply = httpx.post(f"{server.url}/api/device-data/ingest", json=reading, headers=machine.key)
        assert reply.status_code == 201
    with visitor(browser, server.url, viewport=SMALL) as visit:
        visit.sign_in()
        visit.page.goto(f"/devices/{machine.mac}/")
        expect(visit.page.get_by_role("heading", name="Recent readings")).to_be_visible()
        assert visit.too_wide() == []
