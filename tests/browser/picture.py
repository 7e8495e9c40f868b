"""`python -m tests.browser.picture`: the README's picture, docs/pages.png, of a server with something on it."""

from pathlib import Path
from typing import Final

from playwright.sync_api import ViewportSize

from tests.browser.furnished import furnished_server
from tests.browser.harness import chromium, visitor

DAYS: Final = 14
SIZE: Final[ViewportSize] = {"width": 1280, "height": 860}
PICTURE: Final = Path(__file__).resolve().parents[2] / "docs" / "pages.png"


def main() -> None:
    with furnished_server(DAYS) as (server, _), chromium() as browser, visitor(browser, server.url) as visit:
        visit.sign_in()
        visit.page.set_viewport_size(SIZE)
        visit.page.emulate_media(color_scheme="light")
        visit.page.goto("/devices/")
        visit.page.wait_for_timeout(600)
        visit.page.screenshot(path=PICTURE)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
