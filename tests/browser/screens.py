"""`python -m tests.browser.screens FOLDER`: pictures of every page, wide and small, light and dark, with real data.

One file for each, `<page>-<width>-<scheme>.png`; printed is whatever a page wrote to the console or shows too wide.
"""

import argparse
import re
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from tests.browser.furnished import filled, furnished_server, pages_for
from tests.browser.harness import SMALL, WIDE, Scheme, Visit, chromium, visitor

DAYS = 14
SETTLE_MS = 600
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")


def take(visit: Visit, path: str, name: str, folder: Path) -> None:
    """Pictures of the page at `path` in every look."""
    visit.page.goto(path)
    for size in (WIDE, SMALL):
        visit.page.set_viewport_size(size)
        for scheme in SCHEMES:
            visit.page.emulate_media(color_scheme=scheme)
            visit.page.wait_for_timeout(SETTLE_MS)
            visit.page.screenshot(path=folder / f"{name}-{size['width']}-{scheme}.png", full_page=True)
        for element in visit.too_wide():
            print(f"{path} is too wide at {size['width']}: {element}")


def take_all(browser: Browser, base: str, named: dict[str, str], folder: Path) -> None:
    with visitor(browser, base) as visit:
        for caller in ("nobody", "staff"):
            if caller == "staff":
                visit.sign_in()
            for path in pages_for(caller):
                name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "dashboard"
                take(visit, filled(path, named), name, folder)
        for fault in visit.faults:
            print(fault)
        visit.faults.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with furnished_server(DAYS) as (server, named), chromium() as browser:
        take_all(browser, server.url, named, folder)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
