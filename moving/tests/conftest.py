from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from moving.report import Report
from moving.services import move_in
from moving.sources import open_source
from moving.tests.old import FIRST, PORTAL, SECOND, Old

Mover = Callable[..., Report]


@pytest.fixture(autouse=True)
def _at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ozone.intake.pauses.LEAST", 0.0)


@pytest.fixture
def first(tmp_path: Path) -> Old:
    return Old(tmp_path / "first.sqlite3", FIRST)


@pytest.fixture
def second(tmp_path: Path) -> Old:
    return Old(tmp_path / "second.sqlite3", SECOND)


@pytest.fixture
def portal(tmp_path: Path) -> Old:
    return Old(tmp_path / "portal.sqlite3", PORTAL)


def move(old: Old, *, zone: str = "Asia/Kuala_Lumpur", is_dry: bool = False, since: datetime | None = None) -> Report:
    source = open_source(str(old.path))
    try:
        return move_in(source, zone=ZoneInfo(zone), since=since, is_dry=is_dry, progress=lambda *_: None)
    finally:
        source.close()
