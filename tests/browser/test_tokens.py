"""The token page in a real browser: issue a token, see it once, watch what becomes of it."""

import httpx
import pytest
import segno
from playwright.sync_api import Browser, Page, expect

from tests.browser.harness import SCHEMES, SMALL, Visit, visitor
from tests.support.server import PASSWORD, LiveServer

pytestmark = pytest.mark.browser

TOKENS = "/gateway/device-tokens"


def open_from_menu(page: Page) -> None:
    page.goto("/")
    page.locator('summary[aria-label="Menu"]').click()
    page.get_by_role("link", name="Device Token Management", exact=True).click()
    page.wait_for_url(f"**{TOKENS}")


def generate(page: Page, device: int, notes: str = "") -> str:
    """The new token, as the page shows it."""
    page.get_by_label("Device", exact=True).select_option(str(device))
    page.get_by_label("Notes").fill(notes)
    page.get_by_role("button", name="Generate token").click()
    return page.locator("#token").inner_text()


def test_a_token_from_its_issue_to_its_claim(visit: Visit, server: LiveServer) -> None:
    page = visit.page
    visit.sign_in()
    device = visit.add_device("Factory Meter 1")
    open_from_menu(page)
    token = generate(page, device, "Line A ESP32")

    expect(page.get_by_role("heading", name="Token for Factory Meter 1")).to_be_visible()
    drawn = page.get_by_role("img", name="QR code of the token").locator("path.qrline").get_attribute("d")
    assert drawn is not None
    assert drawn in segno.make_qr(token, error="m").svg_inline(border=4)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy = page.get_by_role("button", name="Copy")
    copy.focus()
    expect(copy).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token

    page.goto(TOKENS)
    assert token not in page.content()
    pending = page.get_by_role("region", name="Pending tokens").get_by_role("row", name="Factory Meter 1")
    expect(pending).to_contain_text("Line A ESP32")
    expect(pending).to_contain_text("Pending")

    reply = httpx.post(f"{server.url}/api/devices/claim", json={"token": token})
    assert reply.status_code == 201
    page.reload()
    claimed = page.get_by_role("region", name="Last 50 claims").get_by_role("row", name="Factory Meter 1")
    expect(claimed).to_contain_text("Claimed")
    expect(claimed).to_contain_text("127.0.0.1")
    expect(claimed).to_contain_text(reply.json()["api_key"][:8])
    expect(pending).to_have_count(0)


def test_loading_the_page_again_issues_no_other(visit: Visit) -> None:
    page = visit.page
    visit.sign_in()
    device = visit.add_device("Test bench")
    page.goto(TOKENS)
    token = generate(page, device)
    page.reload()
    expect(page.locator("#token")).to_have_text(token)
    rows = page.get_by_role("region", name="Pending tokens").get_by_role("row", name="Test bench")
    expect(rows).to_have_count(1)


def test_revoking(visit: Visit, server: LiveServer) -> None:
    page = visit.page
    visit.sign_in()
    device = visit.add_device("Cold store")
    page.goto(TOKENS)
    token = generate(page, device)
    key = httpx.post(f"{server.url}/api/devices/claim", json={"token": token}).json()["api_key"]
    page.goto(TOKENS)
    page.get_by_role("link", name="Revoke key… of Cold store").click()
    page.get_by_label("Your password").fill("not it")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("status").first).to_contain_text("The key of Cold store is revoked.")
    reply = httpx.post(
        f"{server.url}/api/device-data/ingest", json={"kwh": 1}, headers={"Authorization": f"Bearer {key}"}
    )
    assert reply.status_code == 401

    generate(page, device)
    page.goto(TOKENS)
    page.get_by_role("button", name="of Cold store").click()
    expect(page.get_by_role("status").first).to_contain_text("for Cold store is revoked.")
    row = page.get_by_role("region", name="Pending tokens").get_by_role("row", name="Cold store")
    expect(row).to_contain_text("Revoked")


def test_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.goto("/login/")
    expect(page.get_by_label("Username")).to_be_focused()  # by itself, and not before the page is there
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    menu = page.locator('summary[aria-label="Menu"]')
    for _ in range(10):
        page.keyboard.press("Tab")
        if menu.evaluate("element => element === document.activeElement"):
            break
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    tokens = page.get_by_role("link", name="Device Token Management", exact=True)
    expect(tokens).to_be_visible()
    page.keyboard.press("Escape")
    expect(tokens).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Device Token Management", exact=True)).to_be_visible()


def test_without_scripts(browser: Browser, server: LiveServer) -> None:
    with visitor(browser, server.url) as visit:
        visit.sign_in()
        device = visit.add_device("Pump station")
    with visitor(browser, server.url, java_script_enabled=False) as visit:
        visit.sign_in()
        open_from_menu(visit.page)
        assert len(generate(visit.page, device)) == 32
        expect(visit.page.get_by_role("button", name="Copy")).to_be_hidden()
        visit.page.get_by_role("button", name="of Pump station").click()
        expect(visit.page.get_by_role("status").first).to_contain_text("for Pump station is revoked.")


def test_register(visit: Visit) -> None:
    page = visit.page
    page.goto("/login/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password", exact=True).fill("a long walk to the well")
    page.get_by_label("Password again").fill("a long walk to the well")
    page.get_by_role("button", name="Make my account").click()
    page.wait_for_url("**/")
    expect(page.get_by_role("status")).to_contain_text("Welcome, vera.")
    expect(page.get_by_text("Ask an operator to add one")).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone(browser: Browser, server: LiveServer, scheme: str) -> None:
    with visitor(browser, server.url, viewport=SMALL, color_scheme=scheme) as visit:
        for path in ("/login/", "/register/"):
            visit.page.goto(path)
            assert visit.too_wide() == []
        visit.sign_in()
        device = visit.add_device("x" * 200)
        visit.page.goto(TOKENS)
        generate(visit.page, device, "n" * 500)
        # As most are: without a hyphen, at which it would wrap anyhow.
        token = visit.page.locator("#token")
        token.evaluate("token => { token.textContent = token.textContent.replaceAll('-', 'x') }")
        assert visit.too_wide() == []
        for path in (
            TOKENS,
            "/",
            "/account",
            "/device-tokens/revoke-key",
            f"/device-tokens/revoke-key?device={device}",
        ):
            visit.page.goto(path)
            assert visit.too_wide() == []


def test_a_claim_is_seen_without_loading_the_page_again(visit: Visit, server: LiveServer) -> None:
    page = visit.page
    visit.sign_in()
    device = visit.add_device("Cold room")
    page.goto(TOKENS)
    token = generate(page, device, "is watched")
    pending = page.get_by_role("region", name="Pending tokens").get_by_role("row", name="Cold room")
    expect(pending).to_contain_text("is watched")
    page.get_by_label("Device", exact=True).select_option(str(device))
    page.get_by_label("Notes").fill("half of a")
    page.get_by_label("Notes").focus()

    key = httpx.post(f"{server.url}/api/devices/claim", json={"token": token}).json()["api_key"]
    claimed = page.get_by_role("region", name="Last 50 claims").get_by_role("row", name="Cold room")
    expect(claimed).to_contain_text("not used yet")
    expect(pending).to_have_count(0)
    reply = httpx.post(
        f"{server.url}/api/device-data/ingest", json={"kwh": 1}, headers={"Authorization": f"Bearer {key}"}
    )
    assert reply.status_code == 201
    expect(claimed).to_contain_text("in use")

    # Nothing that was shown once or half filled in is gone.
    assert page.locator("#token").inner_text() == token
    page.keyboard.type(" note")
    expect(page.get_by_label("Notes")).to_have_value("half of a note")
    expect(page.get_by_label("Device", exact=True)).to_have_value(str(device))

    opener = page.get_by_role("link", name="Revoke key… of Cold room")
    opener.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("waits for a new token")
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    assert page.locator("#token").inner_text() == token
