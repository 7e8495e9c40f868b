"""docs/stations.md: what it shows is taken, in the order in which it stands there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from stations.models import PowerBank, Station
from stations.tests.cast import SECRET, SETTINGS, Connector, make_connector, signature
from tests.support import needs

pytestmark = pytest.mark.sqlite_only

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "stations.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)


@pytest.mark.django_db
def test_the_messages(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    connector = Connector(make_connector())
    messages = [block.encode() for block in blocks("json") if block.startswith('{"type"')]
    replies: list[Any] = [connector.send(message) for message in messages]
    assert [reply.status_code for reply in replies] == [200, 200, 200], [reply.content for reply in replies]
    assert not any(reply.json().get("stale") for reply in replies)
    bank = PowerBank.objects.get()
    assert bank.current_slot is not None
    assert (bank.status, bank.current_slot.slot_number, Station.objects.get().status) == ("AVAILABLE", 3, "OFFLINE")


def test_the_signature_in_python() -> None:
    given = f"import sys\nsecret = {SECRET!r}\nurl = 'http://127.0.0.1:9'\naccess_token = 'x'\nmessage = {{'a': 'ä'}}\n"
    (code,) = (block for block in blocks("python") if "hmac" in block)
    made = code.replace("urllib.request.urlopen(request)", "print(timestamp, request.headers['X-signature'])")
    done = subprocess.run([sys.executable, "-c", given + made], capture_output=True, text=True, check=True)
    timestamp, found = done.stdout.split()
    assert found == signature('{"a": "ä"}'.encode(), timestamp)


@pytest.mark.thorough
def test_the_signature_in_java(tmp_path: Path) -> None:
    javac = needs.javac()
    if javac is None:
        pytest.skip("there is no javac: apt-get install default-jdk-headless")
    method, _, rest = blocks("java")[0].partition("\n}\n")
    assert "body" in rest
    imports = ("java.security.*", "javax.crypto.*", "javax.crypto.spec.*", "java.util.*", "java.nio.charset.*")
    call = 'System.out.print(sign(a[0], "ä".getBytes("UTF-8"), a[1]));'
    main = f"public static void main(String[] a) throws Exception {{ {call} }}"
    lines = [*(f"import {name};" for name in imports), "public class Guide {", method, "}", main, "}"]
    (tmp_path / "Guide.java").write_text("\n".join(lines), encoding="utf-8")
    subprocess.run([javac, "-encoding", "UTF-8", "Guide.java"], cwd=tmp_path, check=True, timeout=120)
    command = [str(Path(javac).with_name("java")), "-cp", ".", "Guide", SECRET, "1698345600"]
    found = subprocess.run(command, cwd=tmp_path, check=True, timeout=300, capture_output=True, text=True).stdout
    assert found == signature("ä".encode(), "1698345600")
