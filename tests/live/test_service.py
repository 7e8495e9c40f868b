"""What the systemd unit promises, and that files are private whoever starts the server."""

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.server import ROOT, LiveServer, live_server
from tests.support.staff import Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

UNIT = ROOT / "deploy" / "ozone-telemetry.service"
STATE = "/var/lib/ozone-telemetry"
EXPOSURE = 30
"""Tenths: what `systemd-analyze security` may come to (0 is safe, 100 is not)."""


def of_unit(name: str) -> list[str]:
    """The values of an option, in their order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def analyze() -> str:
    program = needs.systemd_analyze()
    if program is None:
        pytest.skip("there is no systemd-analyze: apt-get install systemd")
    return program


def test_it_is_hardly_exposed(analyze: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", str(UNIT)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_every_option_is_one(analyze: str, tmp_path: Path) -> None:
    """Also its paths, once the program stands where the unit says."""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/ozone-telemetry/.venv/bin/python", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_it_writes_within_its_folder_only() -> None:
    assert of_unit("ProtectSystem") == ["strict"]
    folders = of_unit("StateDirectory")[0].split()
    assert folders == ["ozone-telemetry", "ozone-telemetry/logs"]
    assert (of_unit("StateDirectoryMode"), of_unit("UMask")) == (["0700"], ["0077"])
    assert len(of_unit("MemoryMax")) == 1


@dataclass(frozen=True)
class Service:
    server: LiveServer
    state: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The server with the unit's environment, its folder elsewhere, started from a shell with the usual umask; a log
    file and a database of an older release lie there."""
    state = tmp_path_factory.mktemp("state")
    environment = dict(line.replace(STATE, str(state)).split("=", 1) for line in of_unit("Environment"))
    assert set(environment) == {"DATABASE_URL", "LOG_FILE"}
    (state / "logs").mkdir(mode=0o700)
    for name in ("db.sqlite3", "db.sqlite3.before-flush-1", "logs/django.log", "logs/django.log.1"):
        (state / name).touch()
        (state / name).chmod(0o644)
    with live_server(
        environment.pop("DATABASE_URL"),
        by_serve=True,
        IOT_SYSTEM_SIGNATURE_SECRET="a secret of stations, long enough",
        LOG_FILE=environment.pop("LOG_FILE"),
    ) as server:
        yield Service(server, state)


def test_every_file_is_private(service: Service) -> None:
    staff = Staff(service.server.url)
    (device,) = staff.enrol(1)
    assert staff.send(device, {"kwh": 1}).status == 201
    modes = {
        str(path.relative_to(service.state)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in service.state.rglob("*")
        if path.is_file()
    }
    assert {"db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "logs/django.log"} < set(modes)
    assert set(modes.values()) == {"0o600"}


def test_the_seeds_greps_find_their_lines(service: Service) -> None:
    """As seed 004 prints them, in the unit's folder."""
    reply = Staff(service.server.url).call(
        "POST",
        "/api/internal/stations/data",
        {},
        bearer=Staff(service.server.url).sign_in(),
        headers={"X-Timestamp": "1", "X-Signature": "x"},
    )
    assert reply.status == 403
    for pattern in (r"StationDataInternalView\|StationSyncService", "signature"):
        command = f"tail -n 1000 logs/django.log | grep {shlex.quote(pattern)}"
        found = subprocess.run(["bash", "-c", command], cwd=service.state, capture_output=True, text=True, check=False)
        assert "StationDataInternalView" in found.stdout, pattern


def test_what_manage_py_makes_is_private(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_DEBUG": "1",
        "DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3",
        "LOG_FILE": f"{tmp_path}/logs/django.log",
    }
    code = "import gc, logging; logging.getLogger('ozone').warning('a line'); assert gc.isenabled()"
    for arguments in (["migrate", "contenttypes", "-v0"], ["shell", "-c", code]):
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            preexec_fn=lambda: os.umask(0o022) and None,
            check=True,
            timeout=60,
        )
    made = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
    assert made.pop("logs") == "0o700"
    assert {"new.sqlite3", "django.log"} <= set(made)
    assert set(made.values()) == {"0o600"}
