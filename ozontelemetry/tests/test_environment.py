"""What the environment and `.env` hold arrives as it stands: no character of a secret means anything to us."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ozontelemetry.environment import Environment
from tests.support.server import ROOT

SECRETS = {
    "DJANGO_SECRET_KEY": "$DJANGO_DEBUG of the key, long enough to be one",
    "IOT_SYSTEM_SIGNATURE_SECRET": "$$HOME of the partner, at least thirty-two characters",
    "IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS": "$NOBODY_HAS_SET_THIS",
    "METRICS_TOKEN": r"\$PATH",
    "IOT_SYSTEM_ALLOWED_IPS": "$first,second",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """One with nothing in it."""
    monkeypatch.setattr(Environment, "ENVIRON", {})
    return Environment()


def test_a_dollar_is_a_character_of_the_secret() -> None:
    program = (
        "import json; from ozontelemetry import settings as s; "
        "print(json.dumps([s.SECRET_KEY, s.IOT_SYSTEM_SIGNATURE_SECRET, s.IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS, "
        "s.METRICS_TOKEN, s.IOT_SYSTEM_ALLOWED_IPS, s.DATABASES['default']['PASSWORD']]))"
    )
    variables = {**os.environ, **SECRETS, "DATABASE_URL": "postgres://ozone:$HOME%23$x@127.0.0.1/ozone"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [
        *list(SECRETS.values())[:4],
        ["$first", "second"],
        "$HOME#$x",
    ]


def test_a_file(environment: Environment, tmp_path: Path) -> None:
    lines = [f"{name}={value}" for name, value in SECRETS.items()]
    lines += ["SINGLE='a #$\"\\b'", "PLAIN=a #$b\\n'c", 'export DOUBLE="a $b"', "# a comment", ""]
    (tmp_path / ".env").write_text("\n".join(lines))
    environment.read_env(tmp_path / ".env")
    assert {name: environment.str(name) for name in SECRETS} == SECRETS
    assert environment.str("SINGLE") == 'a #$"\\b'
    assert environment.str("PLAIN") == "a #$b\\n'c"
    assert environment.str("DOUBLE") == "a $b"
    assert environment.str("ABSENT", default="$x") == "$x"


def test_a_line_that_cannot_be_read_is_not_repeated(
    environment: Environment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("IOT_SYSTEM_SIGNATURE_SECRET = hush-hush\n")
    with caplog.at_level(logging.DEBUG):
        environment.read_env(tmp_path / ".env")
    assert "hush-hush" not in caplog.text
    assert "is not NAME=value" in caplog.text
