"""A board is swapped on a phone: found, put in, followed as it comes to life, and taken back. Every tap is counted."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import SMALL, visitor
from tests.support.server import LiveServer

pytestmark = pytest.mark.browser

MAC = "02:F1:EE:70:00:99"


@pytest.fixture(scope="module")
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, 2)
    yield fleet
    fleet.close()


class Taps:
    def __init__(self) -> None:
        self.count = 0

    def on(self, target: Locator) -> None:
        target.tap()
        self.count += 1


def test_a_swap_in_a_few_taps(browser: Browser, server: LiveServer, fleet: Fleet) -> None:
    with httpx.Client(base_url=server.url) as board, phone(browser, server) as visit:
        taps, page = Taps(), visit.page
        visit.sign_in()
        page.goto("/")
        taps.on(page.locator(".menu summary").last)
        taps.on(page.get_by_role("link", name="Machines").last)
        taps.on(page.get_by_role("link", name="Install or swap a board"))
        taps.on(page.get_by_role("link", name="Choose Machine 1"))
        expect(page.get_by_role("region", name="Which board goes in?")).to_be_visible()
        shaken = board.post("/api/handshake/", json={"mac": MAC, "firmware": "1.5"}).json()
        row = page.get_by_role("listitem").filter(has_text=MAC)
        expect(row).to_contain_text("from this outlet’s address")  # it appears by itself
        expect(row).to_contain_text("never assigned, shook hands")
        taps.on(row.get_by_role("link"))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("unit-1 is put away")
        expect(dialog.get_by_label("The owner stays")).to_be_checked()
        taps.on(dialog.get_by_role("button", name="Swap the board"))
        expect(page.get_by_role("heading", name=f"{MAC} is in")).to_be_visible()
        assert taps.count <= 12
        assert taps.count == 6

        done = page.locator(".steps .done")
        expect(done).to_have_count(0)
        token = {"Authorization": f"Bearer {shaken['token']}"}
        board.post("/api/handshake/", json={"mac": MAC, "firmware": "1.5"}, headers=token)
        expect(done).to_have_count(1)
        board.get(f"/api/device/{MAC}/commands/", headers=token)
        expect(done).to_have_count(2)
        press = {"event_id": "n-1", "event": "treatment", "treatment": "BASIC", "counter": 1}
        assert board.post("/api/device/events/", json=press, headers=token).status_code == 200
        expect(done).to_have_count(3)
        assert visit.too_wide() == []

        page.get_by_role("link", name="Undo the swap").tap()
        dialog.get_by_role("button", name="Undo the swap").tap()
        expect(page.get_by_role("status").first).to_contain_text("unit-1 is in Machine 1 again.")
        expect(page.get_by_role("link", name="Undo the swap")).to_have_count(0)
        expect(row).to_contain_text("spare, was in Machine 1")


def phone(browser: Browser, server: LiveServer) -> Any:
    return visitor(browser, server.url, viewport=SMALL, has_touch=True)
