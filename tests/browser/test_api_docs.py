"""The API reference in a real browser, from the installed package: nothing from another host, no console error."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.harness import Visit, visitor
from tests.support.server import ADMIN, PASSWORD, live_server

pytestmark = pytest.mark.browser


def test_it_shows_the_operations(visit: Visit) -> None:
    page = visit.page
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="Ozone Telemetry")).to_be_visible()
    for name in ("devices", "device", "machines", "statistics", "stations", "people"):
        expect(page.locator(f"#operations-tag-{name}")).to_be_visible()
    claim = page.locator("#operations-device-api_claim")
    expect(claim).to_contain_text("/api/devices/claim")
    claim.get_by_role("button").first.click()
    expect(claim).to_contain_text('"token": "<one-time-token>"')
    page.get_by_role("button", name="Authorize").first.click()
    for scheme in ("accessToken", "session", "deviceKey"):
        expect(page.get_by_role("heading", name=scheme).first).to_be_visible()


def test_an_operation_can_be_tried(visit: Visit) -> None:
    """With the session of who looks."""
    visit.sign_in()
    page = visit.page
    page.goto("/api/docs/")
    user = page.locator("#operations-people-auth_user")
    user.get_by_role("button").first.click()
    user.get_by_role("button", name="Try it out").click()
    user.get_by_role("button", name="Execute").click()
    expect(user.locator(".live-responses-table")).to_contain_text('"username": "admin"')


def test_in_production(browser: Browser) -> None:
    """Under the policy that production sends, for who is signed in."""
    with live_server(production=True) as server, visitor(browser, server.url) as visit:
        visit.sign_in(ADMIN, PASSWORD)
        visit.page.goto("/api/docs/")
        expect(visit.page.locator("#operations-device-api_claim")).to_be_visible()
