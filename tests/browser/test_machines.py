"""Machines and outlets in a real browser: they follow the devices, and operators act on them in dialogs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import SCHEMES, SMALL, Visit, visitor
from tests.support.server import LiveServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, 3)
    yield fleet
    fleet.close()


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def logs_of(page: Page, name: str) -> None:
    page.goto("/machines/")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_the_table_follows_a_press(visit: Visit, fleet: Fleet) -> None:
    visit.sign_in()
    visit.page.goto("/machines/")
    expect(row(visit.page, "Machine 1")).to_contain_text("online")
    today = row(visit.page, "Machine 1").locator("td[data-label=Today]")
    before = int(today.inner_text())
    fleet.press(0)
    expect(today).to_have_text(str(before + 1))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_time_that_is_tapped_tells_utc(browser: Browser, server: LiveServer, fleet: Fleet, scripts: bool) -> None:
    fleet.press(2)
    phone: Any = {"viewport": SMALL, "has_touch": True, "java_script_enabled": scripts}
    with visitor(browser, server.url, **phone) as visit:
        visit.sign_in()
        logs_of(visit.page, "Machine 3")
        log = visit.page.get_by_role("region", name="Log").locator("tbody time")
        told = "one => getComputedStyle(one, '::after').content"
        assert log.first.evaluate(told) == "none"
        log.first.tap()
        assert re.fullmatch(r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"', log.first.evaluate(told))
        visit.page.get_by_label("Show seconds and UTC of every time").check()
        assert all(time.evaluate(told).endswith(' UTC"') for time in log.all())
        assert visit.too_wide() == []


def test_a_log_grows_at_its_top_and_is_not_moved(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    for _ in range(8):
        fleet.press(1)
    logs_of(page, "Machine 2")
    log = page.get_by_role("region", name="Log").locator("tbody tr")
    shown = log.count()
    page.evaluate("window.first = document.querySelector('[data-list=log] tr'); window.at = first.offsetTop")
    fleet.press(1)
    expect(log).to_have_count(shown + 1, timeout=15_000)  # a log asks every 5 s
    # The newest stands where the newest stood: the same element, at the same place.
    assert page.evaluate("document.querySelector('[data-list=log] tr') === window.first")
    # Whole pixels, rounded with what stands above, which has grown by fractions; a row is thirty.
    assert page.evaluate("Math.abs(window.first.offsetTop - window.at)") <= 1
    ever, today, counter = page.locator(".figures tbody tr").first.locator("td").all()
    for figure in (ever, today, counter):
        expect(figure).to_have_text(str(shown + 1))


def test_a_device_moves_after_a_question(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/machines/?q=machine")
    page.get_by_role("link", name="Add a machine").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Machine 9")
    dialog.get_by_label("Outlet").select_option("Altona")
    dialog.get_by_role("button", name="Add the machine").click()
    expect(page.get_by_role("status").first).to_contain_text("Machine 9 is added. It has no device yet.")
    expect(page).to_have_url(f"{visit.base}/machines/?q=machine")

    page.get_by_role("link", name="Assign Machine 9").click()
    dialog.get_by_label("Device").fill("unit-3")
    dialog.get_by_role("button", name="Assign").click()
    expect(page.get_by_text("unit-3 is in Machine 3 now, which would be without a device.")).to_be_visible()
    page.get_by_role("button", name="Move it").click()
    expect(row(page, "Machine 9")).to_contain_text("unit-3")
    expect(row(page, "Machine 3")).to_contain_text("no device")

    page.get_by_role("link", name="Unassign Machine 9").click()
    dialog.get_by_role("button", name="Take away").click()
    expect(row(page, "Machine 9")).to_contain_text("no device")

    page.get_by_role("link", name="Machine 9", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    expect(dialog).to_contain_text("It has given no treatment yet.")
    dialog.get_by_role("button", name="Delete the machine").click()
    expect(row(page, "Machine 9")).to_have_count(0)

    page.get_by_role("link", name="Undo").click()
    dialog.get_by_role("button", name="Restore").click()
    expect(row(page, "Machine 9")).to_have_count(1)


def test_an_outlet_by_keyboard(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/outlets/")
    page.get_by_role("link", name="Add an outlet").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Name").focus()
    page.keyboard.type("Wandsbek")
    page.keyboard.press("Enter")
    expect(row(page, "Wandsbek")).to_be_visible()

    total = row(page, "Altona").locator("td[data-label=Total]")
    before = int(total.inner_text())
    fleet.press(0)
    expect(total).to_have_text(str(before + 1))
    row(page, "Altona").get_by_role("link", name="Altona", exact=True).click()
    expect(page.get_by_role("heading", name="Altona")).to_be_visible()
    expect(row(page, "Machine 1")).to_contain_text("unit-1")
    fleet.press(0)
    expect(page.locator(".figures tbody tr").last.locator("td").last).to_have_text(str(before + 2))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone(browser: Browser, server: LiveServer, fleet: Fleet, scheme: str) -> None:
    with visitor(browser, server.url, viewport=SMALL, color_scheme=scheme) as visit:
        visit.sign_in()
        logs_of(visit.page, "Machine 1")
        here = visit.page.url.removeprefix(visit.base).removesuffix("/logs")
        outlet = f"/outlets/{fleet.outlet['id']}/"
        actions = [f"{here}/{name}" for name in ("edit", "assign", "unassign", "delete")]
        for path in (f"{here}/logs", "/machines/", "/outlets/", outlet, *actions, f"{outlet}edit", "/machines/add"):
            visit.page.goto(path)
            assert visit.too_wide() == [], path


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_row_on_a_phone_is_two_lines_that_open(
    browser: Browser, server: LiveServer, fleet: Fleet, has_scripts: bool
) -> None:
    with visitor(browser, server.url, viewport=SMALL, java_script_enabled=has_scripts) as visit:
        page = visit.page
        visit.sign_in()
        page.goto("/devices/?q=unit&sort=-name")
        rows = page.locator("[data-list=devices] > tr")
        row = rows.first
        expect(row).to_contain_text("Unit 3")
        box = row.bounding_box()
        assert box is not None
        assert box["height"] < (90 if has_scripts else 120)  # without them a time is longer
        expect(row.get_by_text("online")).to_be_visible()
        expect(row.get_by_role("link", name="Commands of")).to_be_hidden()
        if has_scripts:  # without them the bar below is always there, and may lie over the row
            page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] - 15)
        else:
            row.locator("summary").click()
        expect(row.get_by_role("link", name="Commands of")).to_be_visible()
        if has_scripts:
            fleet.press(2)  # an open row follows, and stays open
            expect(row.locator("[data-label=Basic]")).not_to_have_text("0")
            expect(row.get_by_role("link", name="Commands of")).to_be_visible()
        menu = page.get_by_label("Sort by")
        menu.select_option("name")
        if not has_scripts:
            page.get_by_role("button", name="Search").click()
        expect(rows.last).to_contain_text("Unit 3")


def test_long_names_wrap_and_push_nothing_out(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    words = "ESP32 Waschhalle links hinten, zweite Säule am Tor"
    hyphens = words.replace(" ", "-")
    outlet = f"/outlets/{fleet.outlet['id']}/"
    for path, name in (("/devices/unit-1/", words), ("/devices/unit-2/", hyphens), (outlet, hyphens)):
        page.goto(f"{path}edit/")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Save").click()
    for path in ("/machines/", "/devices/", "/outlets/", outlet, "/find/?q=waschhalle"):
        page.goto(path)
        for width in (320, 360, 640, 940, 1024, 1280, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator("main :is(a, h1)", has_text=hyphens).first).to_be_visible()
            assert visit.too_wide() == [], (path, width)
