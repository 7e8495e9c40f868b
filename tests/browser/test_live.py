"""Live without harm: while devices talk, whoever reads, selects, types or has something open is left alone.

LIVE_SECONDS: how long the pages are watched in all; 8, at night 60.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import Visit, visitor
from tests.support.length import length
from tests.support.server import PASSWORD, LiveServer

pytestmark = pytest.mark.browser

SECONDS: Final = float(os.environ.get("LIVE_SECONDS", length("8", "60")))
UNITS: Final = 24
MOST_SHIFT: Final = 0.01
WATCH_SHIFTS: Final = """() => {
    window.shifted = 0;
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            if (entry.hadRecentInput) continue;
            window.shifted += entry.value;
            window.shifts.push(entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? "text"));
        }
    }).observe({ type: "layout-shift" });
}"""
HIDE: Final = """(isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""As in a tab behind another: Playwright keeps each of its pages in front."""
HELD: Final = """() => ({
    scroll: window.scrollY,
    focus: document.activeElement.id || document.activeElement.textContent.trim(),
    caret: document.activeElement.selectionStart ?? null,
    typed: document.querySelector("input[type=search]")?.value ?? null,
    selected: String(document.getSelection()),
    row: document.getSelection().anchorNode?.parentElement?.closest("tr")?.dataset.key ?? null,
    ticked: [...document.querySelectorAll("tbody :checked")].map((box) => box.value),
    open: document.querySelectorAll("details[open]").length,
})"""


@pytest.fixture(scope="module")
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, UNITS)
    for index in range(UNITS):
        fleet.press(index)
    yield fleet
    fleet.close()


class Looks:
    """What the page at `path` was answered when it asked what is new."""

    def __init__(self, page: Page, path: str) -> None:
        self.unchanged = 0
        self._changes: list[Response] = []
        self._path = path
        page.on("response", self._on_response)

    def _on_response(self, response: Response) -> None:
        if "x-live-version" not in response.request.headers or self._path not in response.url:
            return
        if response.status == 204:
            self.unchanged += 1
        elif response.status == 200:
            self._changes.append(response)

    @property
    def count(self) -> int:
        return self.unchanged + len(self._changes)

    @property
    def bodies(self) -> list[str]:
        """What was sent where something had changed."""
        return [response.text() for response in self._changes]


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    for _ in range(100):
        if is_so():
            return
        page.wait_for_timeout(100)
    pytest.fail("the page has not changed at all")


def count_of(page: Page, device: str) -> Any:
    return page.get_by_role("row", name=device).locator("td[data-label=Basic]")


def tick_and_type(page: Page) -> None:
    """Two devices ticked far down, and a search half typed."""
    page.get_by_label("Search").press_sequentially("Uni")
    page.wait_for_url(re.compile("q=Uni"))
    page.get_by_label("Select Unit 17", exact=True).check()
    page.get_by_label("Select Unit 9", exact=True).check()
    search = page.get_by_label("Search")
    search.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1000)  # whatever else this has set off has come


def select_words(page: Page) -> None:
    """A device's number, as for copying it."""
    page.get_by_role("row", name="unit-17").locator("th small").dblclick(position={"x": 8, "y": 8})
    assert page.evaluate("String(document.getSelection())").strip()


def open_menu(page: Page) -> None:
    page.locator("summary[aria-label=Menu]").click()
    expect(page.get_by_role("link", name="Device Token Management", exact=True)).to_be_visible()


def focus_a_link(page: Page) -> None:
    page.locator("main a:visible").last.focus()


@pytest.mark.parametrize(
    ("path", "hold"),
    [
        ("/devices/", tick_and_type),
        *length((), (("/devices/", select_words),)),  # where rows also change their places, it is seen, too
        ("/devices/?sort=heard", select_words),
        ("/machines/", open_menu),
        ("/", focus_a_link),
    ],
)
def test_nothing_is_disturbed(visit: Visit, fleet: Fleet, path: str, hold: Any) -> None:
    page = visit.page
    visit.sign_in()
    looks = Looks(page, path.partition("?")[0])
    page.goto(path)
    hold(page)
    expect(page.locator("tbody :checked")).to_have_count(2 if hold is tick_and_type else 0)
    page.evaluate("window.scrollTo(0, 300)")
    page.evaluate(WATCH_SHIFTS)
    before = page.evaluate(HELD)
    presses, words = fleet.presses, page.locator("#live").inner_text()
    with fleet.at_work():
        for _ in range(10):
            page.wait_for_timeout(SECONDS / 5 / 10 * 1000)
            assert page.evaluate(HELD) == before
        wait_until(page, lambda: bool(looks.bodies) and page.locator("#live").inner_text() != words)
    assert fleet.presses > presses
    assert page.evaluate(HELD) == before
    assert page.evaluate("shifted") < MOST_SHIFT, page.evaluate("shifts")


def test_only_what_changed_travels(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/devices/")
    looks = Looks(page, "/devices/")
    before = int(count_of(page, "unit-5").inner_text())
    page.wait_for_timeout(2500)
    assert (looks.unchanged >= 1, looks.bodies) == (True, [])
    fleet.press(4)
    expect(count_of(page, "unit-5")).to_have_text(str(before + 1))
    page.wait_for_timeout(1200)
    assert len(looks.bodies) == 1
    assert looks.bodies[0].count("<tr ") == 1
    assert "unit-5" in looks.bodies[0]
    assert "data-part" not in looks.bodies[0]


def test_what_was_held_is_brought_up_to_date(visit: Visit, fleet: Fleet) -> None:
    """Even where nothing else happens once it is let go."""
    page = visit.page
    visit.sign_in()
    page.goto("/devices/")
    looks = Looks(page, "/devices/")
    count = count_of(page, "unit-6")
    before = count.inner_text()
    count.dblclick()
    assert page.evaluate("String(document.getSelection()).trim()") == before
    fleet.press(5)
    fleet.poll(5)
    wait_until(page, lambda: bool(looks.bodies))
    assert count.inner_text() == before
    page.evaluate("document.getSelection().removeAllRanges()")
    expect(count).to_have_text(str(int(before) + 1))
    asked = len(looks.bodies)
    page.wait_for_timeout(2500)
    assert len(looks.bodies) == asked


@pytest.mark.parametrize("hours", [1, *length((), (-1,))])
def test_a_screen_whose_clock_is_wrong(visit: Visit, fleet: Fleet, hours: int) -> None:
    page = visit.page
    visit.sign_in()
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=hours))
    page.goto("/devices/")
    fleet.poll(9)
    heard = page.get_by_role("row", name="unit-10").locator("time")
    expect(heard).to_have_text(re.compile(r"^\d s ago"))
    page.wait_for_timeout(3000)
    expect(heard).to_have_text(re.compile(r"^([2-9]|1\d) s ago"))


def test_a_hidden_tab_stops_asking(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/devices/")
    looks = Looks(page, "/devices/")
    page.evaluate(HIDE, True)
    asked = looks.count
    fleet.press(2)
    page.wait_for_timeout(2500)
    assert looks.count <= asked + 1  # one may have been on its way
    before = int(count_of(page, "unit-3").inner_text())
    page.evaluate(HIDE, False)
    expect(count_of(page, "unit-3")).to_have_text(str(before + 1))


def test_signed_out_elsewhere(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/devices/")
    other = page.context.new_page()
    other.goto("/")
    other.locator("summary[aria-label=Menu]").click()
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out: load the page again to sign in.")).to_be_visible()
    other.goto("/login/")
    other.get_by_label("Username").fill("admin")
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    expect(page.locator("#away")).to_be_hidden(timeout=10_000)
    visit.faults = [fault for fault in visit.faults if "401" not in fault]


def test_the_server_goes_away_and_comes_back(browser: Browser, server: LiveServer, fleet: Fleet) -> None:
    with visitor(browser, server.url) as visit:
        page = visit.page
        visit.sign_in()
        page.goto("/devices/")
        before = int(count_of(page, "unit-8").inner_text())
        server.kill()
        try:
            expect(page.get_by_text("No answer from the server.")).to_be_visible(timeout=10_000)
            expect(count_of(page, "unit-8")).to_have_text(str(before))
        finally:
            server.start()
        expect(page.locator("#away")).to_be_hidden(timeout=15_000)
        fleet.press(7)
        expect(count_of(page, "unit-8")).to_have_text(str(before + 1))
        # What the browser and htmx write of a server that is away.
        visit.faults = [fault for fault in visit.faults if "ERR_CONNECTION" not in fault and ": htmx:" not in fault]
