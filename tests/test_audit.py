"""What `make lint` says of the lock files: nothing found is not the same as nothing known."""

import sys
from typing import Any

import pytest

from tests.audit import _ask, verdict

pytestmark = pytest.mark.sqlite_only

GOOD: dict[str, Any] = {"name": "good", "version": "1", "vulns": []}
BAD: dict[str, Any] = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}
UNKNOWN: dict[str, Any] = {"name": "own", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"dependencies": [GOOD, GOOD]}, (0, "a.txt: no known vulnerabilities in 2 packages")),
        (
            {"dependencies": [GOOD, UNKNOWN]},
            (0, "a.txt: no known vulnerabilities in 1 packages; SKIPPED, unknown to the registry: own"),
        ),
        ({"dependencies": [GOOD, BAD]}, (1, "a.txt: known vulnerabilities\n  bad 2: CVE-1, CVE-2")),
        (
            {"dependencies": [UNKNOWN, UNKNOWN]},
            (0, "SKIPPED: a.txt was not audited: the registry knows of none of its 2 packages"),
        ),
        ("no network", (0, "SKIPPED: a.txt was not audited: no network")),
    ],
)
def test_verdict(answer: Any, expected: tuple[int, str]) -> None:
    assert verdict("a.txt", answer) == expected


def test_a_tool_that_is_not_there() -> None:
    assert _ask("/nowhere/uv", "requirements.txt") == "FileNotFoundError"
    assert isinstance(_ask(sys.executable, "requirements.txt"), str)
