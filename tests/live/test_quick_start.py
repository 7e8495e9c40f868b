"""Seed 002's quick start, as it prints it: five blocks of curl with a cookie jar, against the server of `make run`.

Only the address is another, and YOUR_TOKEN the token of the handshake before. What the seed's own notes ask for is done
first: an operator knows the MAC and gives the device its `device_id`, and there is an outlet. The first block ends with
a logout, so its sign-in is run again before the third.
"""

import csv
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import needs
from tests.support.server import PASSWORD, LiveServer, fresh_database, live_server
from tests.support.staff import Staff

pytestmark = [pytest.mark.real_server, pytest.mark.alike]

SIGN_IN: Final = r"""
curl -X POST http://localhost:8000/api/auth/login/ \
  -H "Content-Type: application/json" \
  -c cookies.txt \
  -d '{"username": "admin", "password": "password"}'
"""
CHECK: Final = r"""
curl http://localhost:8000/api/auth/check/ \
  -b cookies.txt
"""
USER: Final = r"""
curl http://localhost:8000/api/auth/user/ \
  -b cookies.txt
"""
SIGN_OUT: Final = r"""
curl -X POST http://localhost:8000/api/auth/logout/ \
  -b cookies.txt
"""
HANDSHAKE: Final = r"""
curl -X POST http://localhost:8000/api/handshake/ \
  -H "Content-Type: application/json" \
  -d '{"mac": "EC:E3:34:46:2B:C0", "firmware": "1.0.0"}'
"""
EVENT: Final = r"""
curl -X POST http://localhost:8000/api/device/events/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "device_id": "esp32-001",
    "firmware": "1.0.0",
    "event_id": "esp32-001-0000000123",
    "event": "treatment",
    "treatment": "BASIC",
    "counter": 124,
    "ts": "2025-09-16T12:34:56Z"
  }'
"""
ONLINE: Final = r"""
curl http://localhost:8000/api/devices/online/ \
  -b cookies.txt
"""
EVENTS: Final = r"""
curl "http://localhost:8000/api/events/?device_id=esp32-001&days=7" \
  -b cookies.txt
"""
SUMMARY: Final = r"""
curl "http://localhost:8000/api/telemetry/summary/?device_id=esp32-001" \
  -b cookies.txt
"""
REGISTER: Final = r"""
curl -X POST http://localhost:8000/api/machines/register/ \
  -H "Content-Type: application/json" \
  -b cookies.txt \
  -d '{
    "device_id": "esp32-001",
    "outlet_id": 1,
    "name": "Machine A"
  }'
"""
MACHINES: Final = r"""
curl "http://localhost:8000/api/machines/?outlet_id=1" \
  -b cookies.txt
"""
STATISTICS: Final = r"""
curl "http://localhost:8000/api/test/stats/?days=7&granularity=day" \
  -b cookies.txt
"""
OPTIONS: Final = r"""
curl "http://localhost:8000/api/test/stats-options/" \
  -b cookies.txt
"""
EXPORT: Final = r"""
curl "http://localhost:8000/api/test/stats-export.csv?days=30" \
  -b cookies.txt \
  -o stats_export.csv
"""
ADMIN: Final = {
    "id": 1,
    "username": "admin",
    "email": "admin@example.com",
    "first_name": "",
    "last_name": "",
    "is_staff": True,
    "is_superuser": True,
}
COUNTS: Final = {"basic": 124, "standard": 0, "premium": 0}


@dataclass
class Shell:
    """A folder with a cookie jar, in which commands are run one after the other."""

    folder: Path
    url: str

    def run(self, command: str, token: str = "") -> Any:
        """What curl prints: JSON as a rule."""
        words = command.replace("http://localhost:8000", self.url).replace("YOUR_TOKEN", token)
        words = words.replace('"password": "password"', f'"password": "{PASSWORD}"')
        done = subprocess.run(["bash", "-c", words], cwd=self.folder, capture_output=True, check=True, timeout=30)
        return json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def server() -> Iterator[LiveServer]:
    if needs.curl() is None:
        pytest.skip("curl is not here, and only root can install it: apt-get install curl")
    with fresh_database() as url, live_server(url, slow_hashes=True) as server:
        yield server


def test_the_five_blocks(server: LiveServer, tmp_path: Path) -> None:
    staff = Staff(server.url)
    known = {"mac": "ec-e3-34-46-2b-c0", "device_id": "esp32-001"}
    assert staff.call("POST", "/api/devices/", known, bearer=staff.sign_in()).status == 201
    assert staff.call("POST", "/api/outlets/", {"name": "Outlet Name"}, bearer=staff.sign_in()).json()["id"] == 1
    shell = Shell(tmp_path, server.url)

    assert shell.run(SIGN_IN) == {"success": True, "user": ADMIN}
    assert shell.run(CHECK) == {"authenticated": True, "user": ADMIN}
    assert shell.run(USER) == {"success": True, "user": ADMIN}
    assert shell.run(SIGN_OUT) == {"success": True, "message": "Successfully logged out"}
    assert shell.run(CHECK) == {"authenticated": False, "user": None}
    assert shell.run(ONLINE)["code"] == "signed_out"

    greeting = shell.run(HANDSHAKE)
    assert greeting == {"device_id": "esp32-001", "token": greeting["token"], "assigned": True}
    for _ in range(2):  # the seed promises that a repeat makes no second row
        assert shell.run(EVENT, greeting["token"]) == {"ack": True, "event_id": "esp32-001-0000000123"}

    shell.run(SIGN_IN)
    [online] = shell.run(ONLINE)
    assert (online["device_id"], online["status"], online["counts"]) == ("esp32-001", "online", COUNTS)
    [event] = shell.run(EVENTS)
    assert (event["event_id"], event["counter"], event["occurred_at"]) == (
        "esp32-001-0000000123",
        124,
        "2025-09-16T12:34:56Z",
    )
    summary = shell.run(SUMMARY)
    assert (summary["device_id"], summary["counts"], summary["mode"]) == ("esp32-001", COUNTS, "BASIC")

    machine = shell.run(REGISTER)
    assert (machine["name"], machine["outlet"], machine["device_id"]) == ("Machine A", 1, "esp32-001")
    assert shell.run(MACHINES) == [machine]

    statistics = shell.run(STATISTICS)
    assert len(statistics["labels"]) == 7
    assert statistics["series"]["total"] == [0] * 7, "the press was in 2025"
    options = shell.run(OPTIONS)
    assert [outlet["name"] for outlet in options["outlets"]] == ["Outlet Name"]
    assert [(row["name"], row["outlet_id"]) for row in options["machines"]] == [("Machine A", 1)]
    assert [(row["device_id"], row["machine_id"]) for row in options["devices"]] == [("esp32-001", machine["id"])]
    assert shell.run(EXPORT) is None
    rows = list(csv.reader((tmp_path / "stats_export.csv").read_text().splitlines()))
    assert rows[0] == ["label", "basic", "standard", "premium", "total"]
    assert len(rows) == 31
