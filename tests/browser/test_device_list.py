"""The devices' list in a real browser: select some, act on all of them; add devices, one or a file of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.fleet import Fleet
from tests.browser.harness import SCHEMES, SMALL, Visit, visitor
from tests.support.server import LiveServer

pytestmark = pytest.mark.browser

FILE = "device_id;name;mac\nBAY-1;Bay 1;\nBAY-2;Bay 2;nonsense\nBAY-3;Bay 3;02:00:00:00:07:03\n"


@pytest.fixture(scope="module")
def fleet(server: LiveServer) -> Iterator[Fleet]:
    fleet = Fleet(server.url, 4)
    yield fleet
    fleet.close()


def open_list(visit: Visit, query: str = "") -> Page:
    visit.sign_in()
    visit.page.goto(f"/devices/{query}")
    return visit.page


def test_a_command_for_those_selected_while_they_talk(visit: Visit, fleet: Fleet) -> None:
    page = open_list(visit)
    bar = page.get_by_role("form", name="Selected devices")
    expect(bar).to_be_hidden()
    page.get_by_label("Select Unit 1").check()
    page.get_by_label("Select Unit 3").check()
    expect(bar.get_by_text("2 selected")).to_be_visible()
    fleet.press(0)
    fleet.press(2)
    expect(page.get_by_role("row", name="Unit 3").locator("td", has_text="1").first).to_be_visible()
    expect(page.get_by_label("Select Unit 1")).to_be_checked()
    expect(page.get_by_label("Select Unit 3")).to_be_checked()
    expect(bar.get_by_text("2 selected")).to_be_visible()
    bar.get_by_role("button", name="Send a command").click()
    expect(page.get_by_role("heading", name="Send a command to 2 devices")).to_be_visible()
    page.get_by_label("Command", exact=True).select_option("GET_STATUS")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").first).to_contain_text("GET_STATUS waits for 2 devices.")
    for name, number in (("unit-1", 1), ("unit-2", 0), ("unit-3", 1)):
        page.goto(f"/devices/{name}/commands/")
        expect(page.locator("tbody tr", has_text="GET_STATUS")).to_have_count(number)


def test_a_double_click_adds_one_device_and_says_so(visit: Visit) -> None:
    page = open_list(visit)
    page.get_by_role("link", name="Add a device").click()
    page.get_by_label("Name").fill("Clicked twice")
    page.get_by_role("button", name="Add the device").dblclick()
    expect(page.get_by_role("status").first).to_contain_text("Clicked twice is added.")
    expect(page.locator("tbody tr", has_text="Clicked twice")).to_have_count(1)


def test_the_bar_follows_what_is_selected(visit: Visit, fleet: Fleet) -> None:
    page = open_list(visit, "?q=unit")
    bar = page.get_by_role("form", name="Selected devices")
    everything = page.get_by_label("Select all on this page")
    everything.check()
    expect(bar.get_by_text("4 selected")).to_be_visible()
    page.get_by_label("Select Unit 2").press("Space")
    expect(bar.get_by_text("3 selected")).to_be_visible()
    page.get_by_label("Search").fill("unit-2")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(bar).to_be_hidden()
    everything.check()
    expect(bar.get_by_text("1 selected")).to_be_visible()
    everything.uncheck()
    expect(bar).to_be_hidden()


def test_export_of_those_selected(visit: Visit, fleet: Fleet) -> None:
    fleet.press(1)
    page = open_list(visit)
    page.get_by_label("Select Unit 2").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export events").click()
    assert download.value.suggested_filename == "events-30-days.csv"
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("Timestamp,Device Timestamp,Device ID")
    assert {line.split(",")[2] for line in lines[1:]} == {"unit-2"}


def test_a_device_added_in_a_dialog(visit: Visit, fleet: Fleet) -> None:
    page = open_list(visit, "?q=cold")
    expect(page.get_by_text("No device matches.")).to_be_visible()
    page.get_by_role("link", name="Add a device").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("Cold store")
    dialog.get_by_label("Name").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Cold store is added.")
    expect(page).to_have_url(f"{visit.base}/devices/?q=cold")
    expect(page.get_by_role("row", name="Cold store")).to_be_visible()


def test_a_file_of_devices(visit: Visit, fleet: Fleet, tmp_path: Path) -> None:
    page = open_list(visit)
    page.get_by_role("link", name="Add from a file").click()
    path = tmp_path / "devices.csv"
    path.write_text(FILE)
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", name="2 of 3 can be added")).to_be_visible()
    bad = page.get_by_role("region", name="Cannot be added")
    expect(bad.get_by_role("row", name="3 mac:")).to_contain_text("Must be a MAC address of twelve hexadecimal digits")
    page.get_by_role("button", name="Add 2 devices").click()
    expect(page.get_by_role("status").first).to_contain_text("2 devices are added.")
    page.get_by_role("link", name="To the devices").click()
    expect(page.get_by_role("row", name="Bay 3")).to_be_visible()
    expect(page.get_by_role("row", name="Bay 2")).to_have_count(0)


def test_without_scripts(browser: Browser, server: LiveServer, fleet: Fleet) -> None:
    with visitor(browser, server.url, java_script_enabled=False) as visit:
        page = open_list(visit, "?q=unit")
        page.get_by_label("Select Unit 4").check()
        page.get_by_role("form", name="Selected devices").get_by_role("button", name="Assign").click()
        page.get_by_label("Assigned").select_option("no")
        page.get_by_role("button", name="Change").click()
        expect(page.get_by_role("status").first).to_contain_text("One device changed.")
        expect(page).to_have_url(f"{visit.base}/devices?q=unit")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_phone(browser: Browser, server: LiveServer, fleet: Fleet, scheme: str, tmp_path: Path) -> None:
    with visitor(browser, server.url, viewport=SMALL, color_scheme=scheme) as visit:
        page = open_list(visit)
        page.get_by_label("Select Unit 1").check()
        assert visit.too_wide() == []
        page.get_by_role("button", name="Send a command").click()
        page.wait_for_load_state()
        assert visit.too_wide() == []
        page.goto("/device-upload")
        assert visit.too_wide() == []
        path = tmp_path / "devices.csv"
        text = f"name,notes\n{'ю' * 200},{'x' * 500}\n{'ю' * 201},{'y' * 501}\n"
        path.write_text(text, encoding="cp1251")  # which may be others: they are offered, too
        page.get_by_label("CSV file").set_input_files(path)
        page.get_by_role("button", name="Look at it").click()
        expect(page.get_by_role("heading", name="1 of 2 can be added")).to_be_visible()
        assert visit.too_wide() == []
