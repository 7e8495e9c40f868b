"""Labels as they come out of a printer: their codes are read by another program than drew them."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page

from tests.browser.harness import Visit
from tests.support import needs
from tests.support.server import ADMIN, PASSWORD, LiveServer

pytestmark = pytest.mark.browser

NAMES: Final = (
    "Mesin Cucian Ozon – Stesen Minyak Petronas Jalan Tun Abdul Razak, petak belakang sekali",
    "臭氧治疗机 三号 (宏茂桥中路)",
    "جهاز الأوزون رقم ٣",
    "CH1/027/2024",
)
MILLIMETRE: Final = 72 / 25.4
"""Points of a PDF."""


@pytest.fixture(scope="module")
def numbers(server: LiveServer) -> list[int]:
    """Of 30 machines, in the order of their labels; the first are called NAMES."""
    with httpx.Client(base_url=server.url, timeout=15) as client:
        signed_in = client.post("/api/auth/token/", json={"username": ADMIN, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {signed_in['data']['access_token']}"
        outlet = client.post("/api/outlets/", json={"name": "محطة الخليج"}).json()["id"]
        names = [*NAMES, *(f"Machine {number:02}" for number in range(5, 31))]
        for name in names:
            made = client.post("/api/machines/", json={"name": name, "outlet": outlet})
            assert made.status_code == 201, made.text
        return [machine["id"] for machine in client.get("/api/machines/").json()]


def read(pictures: list[Path]) -> list[str]:
    """What the codes in pictures hold."""
    program = needs.zbarimg()
    if program is None:
        pytest.skip("zbarimg is not here, and only root can install it: apt-get install zbar-tools")
    command = [program, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", *map(str, pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(done.stdout.split())


def pages_of(page: Page, **options: Any) -> list[tuple[int, int]]:
    """Width and height in millimetres of each page that is printed."""
    pdf = page.pdf(prefer_css_page_size=True, print_background=True, **options)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    return [(round(float(width) / MILLIMETRE), round(float(height) / MILLIMETRE)) for width, height in boxes]


def test_a_phone_reads_every_code(visit: Visit, server: LiveServer, numbers: list[int], tmp_path: Path) -> None:
    visit.sign_in()
    visit.page.goto("/machines/labels/")
    visit.page.emulate_media(media="print")
    visit.page.set_viewport_size({"width": 794, "height": 1123})  # A4
    pictures = []
    for number, label in enumerate(visit.page.locator(".label").all()):  # of thirty at once zbarimg misses some
        pictures.append(tmp_path / f"{number}.png")
        label.screenshot(path=pictures[-1], scale="device")
    assert read(pictures) == sorted(f"{server.url}/machines/{number}/install/" for number in numbers)


def test_sheets_and_single_labels(visit: Visit, numbers: list[int]) -> None:
    page = visit.page
    visit.sign_in()
    page.goto("/machines/labels/")
    assert len(numbers) == 30
    assert pages_of(page) == [(210, 297)] * 2
    for box in page.get_by_role("checkbox").all()[:6]:
        box.uncheck()
    assert pages_of(page) == [(210, 297)]
    page.goto("/machines/labels/?used=18")
    assert pages_of(page) == [(210, 297)] * 2
    page.goto("/machines/labels/?used=19")
    assert pages_of(page) == [(210, 297)] * 3
    page.goto("/machines/labels/?paper=single")
    assert pages_of(page) == [(70, 37)] * 30


def test_nothing_of_a_name_hides_the_code(visit: Visit, numbers: list[int]) -> None:
    """Long names end where their lines do; code and address stand in the label whole."""
    visit.sign_in()
    visit.page.goto("/machines/labels/")
    visit.page.emulate_media(media="print")
    labels = visit.page.locator(".label")
    assert labels.count() == len(numbers)
    for label in [labels.nth(number) for number in range(len(NAMES))]:
        outer = label.bounding_box()
        for inside in (".qr svg", ".code", "small"):
            inner = label.locator(inside).bounding_box()
            assert outer and inner
            assert inner["y"] >= outer["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"]
            assert inner["x"] >= outer["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"]
