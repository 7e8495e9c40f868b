"""`manage.py station_sign`: what it prints is accepted."""

import io
import re
import shlex
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from stations.tests.cast import DATA, SECRET, SETTINGS, VERIFY, Connector, compact, full, make_connector

pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def _stations_are_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("station_sign", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_it_works(tmp_path: Path) -> None:
    payload = tmp_path / "a payload.json"
    payload.write_bytes(compact(full()) + b"\n")
    before = int(time.time())
    printed = run(str(payload), "--url", "https://ozone.example.com/")
    assert SECRET not in printed
    words = shlex.split(printed.partition("curl")[2])
    assert words[:2] == ["-X", "POST"]
    assert words[2] == f"https://ozone.example.com{DATA}"
    assert words[-2:] == ["--data-binary", f"@{payload}"]
    sent = dict(word.split(": ", 1) for word in words if re.match(r"^[A-Z][\w-]+: ", word))
    assert sent["Authorization"] == "Bearer $ACCESS_TOKEN"
    assert before <= int(sent["X-Timestamp"]) <= time.time()
    assert printed.startswith(f"Content-Type: application/json\nX-Timestamp: {sent['X-Timestamp']}\n")
    headers: dict[str, str | None] = {name: sent[name] for name in ("X-Timestamp", "X-Signature")}
    reply = Connector(make_connector()).send(payload.read_bytes(), headers=headers)
    assert reply.status_code == 200


def test_for_verify(tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_bytes(b"{}")
    printed = run(str(payload), "--verify", "--timestamp", "1698345600")
    assert f"http://127.0.0.1:8000{VERIFY}" in printed
    assert "X-Timestamp: 1698345600" in printed


def test_without_a_secret(settings: Settings) -> None:
    settings.IOT_SYSTEM_SIGNATURE_SECRET = ""
    with pytest.raises(CommandError, match="IOT_SYSTEM_SIGNATURE_SECRET"):
        run("payload.json")


def test_without_a_file() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.json cannot be read"):
        run("nowhere.json")
