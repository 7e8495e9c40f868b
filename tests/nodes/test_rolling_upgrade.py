"""From the release before, node by node, while meters send to both: its own code runs beside the new one's tables."""

import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, LiveServer, fresh_database, live_server
from tests.support.staff import Device, Staff
from tests.support.traffic import check_stored, traffic

pytestmark = [pytest.mark.real_server, pytest.mark.alike]

RELEASE = "0.1.0"
METERS = 3
"""At each node."""


@pytest.fixture
def release_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Its source: of the commit that closed it."""
    find = ["git", "log", "--reverse", "--format=%H", f"-S## {RELEASE} – ", "--", "CHANGELOG.md"]
    found = subprocess.run(find, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not found:
        with capsys.disabled():
            pytest.skip(f"the history of {RELEASE} is not here")
    archive = subprocess.run(["git", "archive", found[0]], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        file.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def nodes(release_before: Path) -> Iterator[list[LiveServer]]:
    """Two of the release before, on a database that the first has made."""
    named: dict[str, Any] = {"WORKERS": "1", "LIMIT_DEVICE_WRITES": "100000/1"}
    with fresh_database(migrated=False) as url, ExitStack() as stack:
        both = [stack.enter_context(live_server(url, slow_hashes=True, start=False, **named)) for _ in range(2)]
        for node in both:
            node.code = release_before
            node.start()
        yield both


def upgrade(node: LiveServer) -> None:
    node.stop()
    node.code = ROOT
    node.start()


def revoke(device: Device, *, at: Staff, seen_by: Staff) -> None:
    """Fails unless a key that is revoked at one node is refused at the other."""
    assert seen_by.send(device, {"kwh": 1}).status == 201
    path = f"/api/devices/{device.pk}/rotate/"
    assert at.call("POST", path, {}, bearer=at.sign_in()).status == 200
    end = time.monotonic() + 10
    while (status := seen_by.send(device, {"kwh": 1}).status) != 401:
        assert status == 201 and time.monotonic() < end
        time.sleep(0.05)


def test_nobody_notices(nodes: list[LiveServer]) -> None:
    first, second = nodes
    at_first, at_second = (Staff(node.url) for node in nodes)
    meters = [at_first.enrol(METERS) for _ in nodes]
    doomed = at_first.enrol(2)
    with ExitStack() as stack:
        loads = [stack.enter_context(traffic(*pair, pause=0.02)) for pair in zip(nodes, meters, strict=True)]

        def all_send() -> None:
            for load in loads:
                load.wait_for(30)

        all_send()
        upgrade(first)  # it changes the tables under the other
        all_send()
        revoke(doomed[0], at=at_first, seen_by=at_second)
        revoke(doomed[1], at=at_second, seen_by=at_first)
        upgrade(second)
        all_send()
    for node, load in zip(nodes, loads, strict=True):
        check_stored(node, load.journal)
        assert not load.journal.problems
        assert load.journal.statuses() <= {201, 503}, load.journal.replies
