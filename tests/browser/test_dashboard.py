"""The dashboard in a real browser: from a fresh installation to the first event, without loading the page again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import SCHEMES, SMALL, Visit, visitor
from tests.support.server import LiveServer

pytestmark = pytest.mark.browser


@pytest.fixture
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, 1)
    yield fleet
    fleet.close()


def tile(page: Page, name: str, number: int) -> None:
    expect(page.get_by_role("link", name=f"{name}: {number}", exact=True)).to_be_visible()


def test_from_nothing_to_the_first_event(visit: Visit, request: pytest.FixtureRequest) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/")
    guide = page.get_by_role("region", name="From nothing to the first event")
    expect(guide.get_by_role("link", name="Add a device")).to_be_visible()
    expect(page.get_by_text("No event has arrived in the last day.")).to_be_visible()
    page.evaluate("window.isStillHere = true")

    fleet: Fleet = request.getfixturevalue("fleet")
    expect(guide.get_by_role("heading", name="Let the device in done")).to_be_visible()
    tile(page, "All devices", 1)
    fleet.press(0)
    expect(guide).to_have_count(0)
    tile(page, "Online", 1)
    expect(page.get_by_role("region", name="Recent events").get_by_role("listitem")).to_contain_text("Basic Unit 1")
    expect(page.get_by_role("region", name="Today").get_by_role("row", name="Total 1 — —")).to_be_visible()
    expect(page.get_by_text("No event has arrived in the last day.")).to_be_hidden()
    assert page.evaluate("window.isStillHere") is True

    page.get_by_role("img", name="Treatments by the minute: 1 in the last hour").focus()
    page.keyboard.press("End")
    page.get_by_role("link", name="Online: 1").click()
    page.wait_for_url("**/devices?status=online")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone(browser: Browser, server: LiveServer, scheme: str) -> None:
    with visitor(browser, server.url, viewport=SMALL, color_scheme=scheme) as visit:
        visit.sign_in()
        visit.page.goto("/")
        expect(visit.page.get_by_role("heading", name="Dashboard")).to_be_visible()
        assert visit.too_wide() == []
