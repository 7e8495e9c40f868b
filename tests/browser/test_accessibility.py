"""Every page for everybody: axe finds nothing serious, light and dark, wide and small; nothing is cut off; and a walk
by keyboard."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.furnished import filled, furnished_server, pages_for
from tests.browser.harness import MIDDLE, SMALL, WIDE, Scheme, Visit, visitor
from tests.support.length import IS_LONG
from tests.support.server import PASSWORD

pytestmark = pytest.mark.browser

SIZES: Final = (SMALL, MIDDLE, WIDE)
GRAVE: Final = ("serious", "critical")
LOOKS: Final[tuple[tuple[ViewportSize, Scheme], ...]] = (
    (WIDE, "light"),
    *(((SMALL, "light"), (WIDE, "dark")) if IS_LONG else ()),
    (SMALL, "dark"),
)
"""By day each size and scheme once, all four at night."""
COLOURS: Final = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
"""All that the scheme changes."""
EVERYTHING: Final = {"resultTypes": ["violations"]}
VIOLATIONS: Final = "async (options) => (await axe.run(document, options)).violations"


@pytest.fixture(scope="module")
def furnished() -> Iterator[tuple[str, dict[str, str]]]:
    with furnished_server() as (server, named):
        yield server.url, named


@pytest.fixture(scope="module")
def staff(browser: Browser, furnished: tuple[str, dict[str, str]]) -> Any:
    """The cookies of staff, for windows that are signed in from the start."""
    with visitor(browser, furnished[0]) as visit:
        visit.sign_in()
        return visit.page.context.storage_state()


@pytest.fixture(scope="module")
def window(browser: Browser, furnished: tuple[str, dict[str, str]], staff: Any) -> Iterator[Visit]:
    """Of staff, who go from page to page."""
    with visitor(browser, furnished[0], storage_state=staff) as visit:
        yield visit


@pytest.fixture(scope="module")
def passing(browser: Browser, furnished: tuple[str, dict[str, str]]) -> Iterator[Visit]:
    """Of somebody who is not signed in."""
    with visitor(browser, furnished[0]) as visit:
        yield visit


def faults_of(page: Page) -> list[str]:
    found = []
    page.evaluate(AXE_SCRIPT)
    for size, scheme in LOOKS:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        options = COLOURS if scheme == "dark" else EVERYTHING
        for violation in page.evaluate(VIOLATIONS, options):
            places = [node["html"][:120] for node in violation["nodes"]]
            if violation["impact"] in GRAVE:
                found.append(f"{size['width']} {scheme}: {violation['id']}, {violation['help']}: {places}")
    return found


def look_at(window: Visit, path: str) -> None:
    """Loads the page once, and looks at it in all sizes."""
    window.faults.clear()
    window.page.set_viewport_size(WIDE)
    window.page.emulate_media(color_scheme="light")
    reply = window.page.goto(path)
    assert reply is not None
    assert reply.status == 200
    for size in SIZES:
        window.page.set_viewport_size(size)
        assert window.too_wide() == [], size
    assert faults_of(window.page) == []
    assert window.faults == []


@pytest.mark.parametrize("path", pages_for("staff"))
def test_pages_of_staff(window: Visit, furnished: tuple[str, dict[str, str]], path: str) -> None:
    look_at(window, filled(path, furnished[1]))


@pytest.mark.skipif(not IS_LONG, reason="by day a page is loaded once, and resized")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_nothing_is_cut_off(
    browser: Browser, furnished: tuple[str, dict[str, str]], staff: Any, size: ViewportSize
) -> None:
    url, named = furnished
    with visitor(browser, url, storage_state=staff, viewport=size) as visit:
        for path in pages_for("staff"):
            visit.page.goto(filled(path, named))
            assert visit.too_wide() == [], path


@pytest.mark.parametrize("path", pages_for("nobody"))
def test_pages_for_anybody(passing: Visit, furnished: tuple[str, dict[str, str]], path: str) -> None:
    look_at(passing, filled(path, furnished[1]))


def reach(page: Page, target: Locator) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(80):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{target} is not reached by Tab")


def test_a_walk_by_keyboard(browser: Browser, furnished: tuple[str, dict[str, str]]) -> None:
    with visitor(browser, furnished[0]) as visit:
        walk(visit)


def walk(visit: Visit) -> None:
    page = visit.page
    page.goto("/login/")
    # The browser gives it the focus when it first draws the page, which may be after all of it has been loaded.
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("/")
    reach(page, page.get_by_role("link", name="Devices", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/devices")
    reach(page, page.get_by_role("link", name="Ozone unit 3", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ozone unit 3")
    opener = page.locator("a[data-dialog]").first
    reach(page, opener)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for way_out in ("Escape", "Cancel"):
        if way_out == "Cancel":
            page.keyboard.press("Enter")
            expect(dialog).to_be_visible()
            reach(page, dialog.get_by_role("link", name="Cancel"))
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
