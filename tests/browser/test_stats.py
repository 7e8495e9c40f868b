"""The page of statistics in a real browser: filters, the chart by pointer and keyboard, and what happens meanwhile."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import Visit, visitor
from tests.support.length import length
from tests.support.server import LiveServer

pytestmark = pytest.mark.browser

WIDTHS: Final = [*range(320, 660, length(60, 20)), 768, 1024, 1440]


@pytest.fixture(scope="module")
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, 2)
    fleet.press(0)
    fleet.press(0)
    fleet.press(1)
    yield fleet
    fleet.close()


def test_filters_change_the_page_and_its_address(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/stats/")
    total = page.locator(".numbers dd").first
    expect(total).to_have_text("3")
    page.evaluate("window.isStillHere = true")

    page.get_by_label("Machine", exact=True).select_option("Machine 2")
    expect(total).to_have_text("1")
    assert re.search(r"/stats\?machine_id=\d+$|/stats/\?machine_id=\d+$", page.url)
    page.get_by_label("By", exact=True).select_option("Hour")
    page.get_by_label("Days").fill("none")
    said = page.get_by_text("A whole number from 1 to 36,500.")
    expect(said).to_be_visible()
    expect(page.get_by_label("Days")).to_have_value("none")
    page.get_by_label("Days").fill("1")
    expect(said).to_be_hidden()
    expect(page.get_by_role("img", name=re.compile("^Treatments by hour, .*: 1 in all$"))).to_be_visible()
    page.get_by_label("Compare with before").check()
    expect(page.get_by_role("columnheader", name="Total before")).to_be_visible()
    assert page.get_by_role("link", name="CSV file").get_attribute("href") == (
        "/api/stats/export.csv" + page.url[page.url.index("?") :] + "&bom=true"
    )
    assert page.evaluate("window.isStillHere") is True


def test_chart_tells_its_numbers_and_follows(visit: Visit, fleet: Fleet) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/stats/")
    chart = page.get_by_role("img", name=re.compile("^Treatments by day"))
    page.get_by_role("link", name="CSV file").focus()
    page.keyboard.press("Tab")
    expect(chart).to_be_focused()
    tip = page.locator(".tip")
    expect(tip).to_contain_text("Total: 3")
    page.keyboard.press("ArrowLeft")
    expect(tip).to_contain_text("Total: —")  # there are no data before today
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 20)
    expect(tip).to_contain_text("Basic: 3")

    fleet.press(1)
    expect(page.locator(".numbers dd").first).to_have_text("4", timeout=15_000)  # it looks every five seconds
    expect(page.get_by_role("row").nth(1)).to_contain_text("4004")
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 20)
    expect(tip).to_contain_text("Basic: 4")


@pytest.mark.parametrize(("scheme", "widths"), [("light", WIDTHS), *length((), (("dark", [360]),))])
def test_nothing_is_cut_off(browser: Browser, server: LiveServer, fleet: Fleet, scheme: str, widths: list[int]) -> None:
    with visitor(browser, server.url, color_scheme=scheme) as visit:
        visit.sign_in()
        for query in ("", "?granularity=hour&days=28&compare=true&cumulative=true", "?device_id=nope&ma=x&start=x"):
            visit.page.goto(f"/stats/{query}")
            for width in widths:
                visit.page.set_viewport_size({"width": width, "height": 740})
                assert visit.too_wide() == [], (query, width)


def test_without_scripts(browser: Browser, server: LiveServer, fleet: Fleet) -> None:
    with visitor(browser, server.url, java_script_enabled=False) as visit:
        visit.sign_in()
        visit.page.goto("/stats/")
        visit.page.get_by_label("Machine", exact=True).select_option("Machine 1")
        visit.page.get_by_role("button", name="Show").click()
        expect(visit.page.locator(".numbers dd").first).to_have_text("2")
