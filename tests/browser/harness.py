"""A real Chromium before a real server, and a witness of all that a page should not do.

with chromium() as browser, visitor(browser, server.url) as visit:
    visit.sign_in()
    visit.page.goto("/")
# leaving the block fails where a page wrote an error, broke its Content-Security-Policy or asked another host
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

from tests.support import needs
from tests.support.length import length
from tests.support.server import ADMIN, PASSWORD

FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is looked up, so that nothing can leave this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
SMALL: Final[ViewportSize] = {"width": 360, "height": 740}
MIDDLE: Final[ViewportSize] = {"width": 1024, "height": 768}
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = length(("light",), ("light", "dark"))
"""Of what is looked at for its widths, which are the same in both; every page in the dark: test_accessibility.py."""
_LEFT: Final = ("htmx:afterRequest,", "htmx:sendAbort,")
"""What htmx says when a page is left, or a filter is changed again, while it asks. Any other end of a request has a
message of its own besides the first."""
_sessions: dict[tuple[str, str], Any] = {}
"""By server and name. To sign in takes a second: a password is hashed a million times."""
_REPORT_VIOLATIONS: Final = """
    document.addEventListener("securitypolicyviolation",
        (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))
"""
_TOO_WIDE: Final = """() => {
    const width = document.documentElement.clientWidth;
    const isScrolled = document.documentElement.scrollWidth > width;
    return [...document.querySelectorAll("body *")]
        .filter((element) => isScrolled && element.getBoundingClientRect().right > width
            || element.matches(".card, .filters .field, .numbers > div, .figures th")
                && element.scrollWidth > element.clientWidth)
        .map((element) => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 40)}`);
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a fresh profile; without Chromium the test is skipped, or fails where CI=true."""
    path = needs.chromium()
    if path is None:
        pytest.skip("Chromium is not here, and only root can install it: apt-get install chromium")
    # Django refuses to query in a thread where Playwright runs, so it ends with this folder's tests.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """One person's browser window. `faults` are console errors, broken policies and requests to other hosts."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_LEFT):
            self.faults.append(f"console at {self.page.url}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:", "blob:")):
            self.faults.append(f"request to {request.url}")

    def sign_in(self, username: str = ADMIN, password: str = PASSWORD) -> None:
        """As whoever types it; or by the session of an earlier window of that person, which shows no page yet."""
        who = (self.base, username)
        if who in _sessions:
            self.page.context.add_cookies(_sessions[who])
            if self.page.request.get("/api/auth/check/").json()["authenticated"]:
                return
        self.page.goto("/login/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("/")
        _sessions[who] = self.page.context.cookies()

    def add_device(self, name: str) -> int:
        """In the admin site, as an operator would; returns its number."""
        self.page.goto("/admin/device_gateway/device/add/")
        self.page.get_by_label("Name:").fill(name)
        self.page.get_by_role("button", name="Save and continue editing").click()
        self.page.wait_for_url("**/change/")
        return int(self.page.url.rstrip("/").split("/")[-2])

    def too_wide(self) -> list[str]:
        """What makes the page scroll sideways, from the outside in: the elements that reach beyond the window, and the
        cards, filters, key figures and heads that hold more than they show."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found


@contextmanager
def visitor(browser: Browser, base: str, **options: Any) -> Iterator[Visit]:
    """A window of its own, signed out; `options` are those of a Playwright context. Fails at the end on any fault."""
    context = browser.new_context(**{"base_url": base, "viewport": WIDE, **options})
    context.set_default_timeout(10_000)
    if options.get("java_script_enabled", True):
        context.add_init_script(_REPORT_VIOLATIONS)
    visit = Visit(context.new_page(), base)
    try:
        yield visit
    finally:
        context.close()
    if visit.faults:
        pytest.fail("\n".join(visit.faults))
