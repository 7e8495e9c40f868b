"""One browser for all, a server for each file of tests, whose figures are its own, and a window for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.harness import Visit, chromium, visitor
from tests.support.server import LiveServer, live_server


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: LiveServer) -> Iterator[Visit]:
    with visitor(browser, server.url) as visit:
        yield visit
