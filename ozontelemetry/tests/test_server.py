"""What `serve` leaves to the process that it becomes: open files, and where several processes add up their figures."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ozontelemetry.server import FILES_APART
from tests.support.server import ROOT

SOFT, HARD = 200, 700
LOOK = """
import json, os, resource, sys
print(json.dumps({
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "folder": os.environ.get("PROMETHEUS_MULTIPROC_DIR"),
    "arguments": sys.argv[1:],
}))
"""
BECOME = """
import os, resource
from ozontelemetry.server import become_server
execv = os.execv
os.execv = lambda program, arguments: execv(program, [program, "-c", {look!r}, *arguments])
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
become_server(host="127.0.0.1", port=8000, workers={workers})
"""


def become(workers: int, folder: Path) -> Any:
    """What the process sees that is there then. Its temporary files are in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", BECOME.format(look=LOOK, soft=SOFT, hard=HARD, workers=workers)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_it_may_open_as_many_files_as_it_is_allowed_to(tmp_path: Path) -> None:
    """And takes no more connections than it can have."""
    found = become(1, tmp_path)
    assert found["files"] == [HARD, HARD]
    arguments = found["arguments"]
    assert arguments[arguments.index("--backpressure") + 1] == str(HARD - FILES_APART)


@pytest.mark.parametrize("workers", [1, 2])
def test_several_processes_have_a_folder_for_their_figures(tmp_path: Path, workers: int) -> None:
    """Its own and empty, whatever a server before has left."""
    (tmp_path / f"ozone-metrics-{os.getuid()}-8000").mkdir()
    (tmp_path / f"ozone-metrics-{os.getuid()}-8000" / "counter_1.db").touch()
    folder = become(workers, tmp_path)["folder"]
    if workers == 1:
        assert folder is None
    else:
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        assert list(Path(folder).iterdir()) == []
