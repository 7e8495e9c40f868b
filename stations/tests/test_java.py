"""A signature made by `javax.crypto`, ten lines compiled here, is accepted."""

import subprocess
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from stations.tests.cast import SECRET, SETTINGS, Connector, compact, full, make_connector
from tests.support import needs

pytestmark = pytest.mark.sqlite_only

SOURCE = """
import java.nio.file.*;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Sign {
    public static void main(String[] args) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(args[0].getBytes("UTF-8"), "HmacSHA256"));
        mac.update(Files.readAllBytes(Paths.get(args[1])));
        mac.update(args[2].getBytes("UTF-8"));
        System.out.println(Base64.getEncoder().encodeToString(mac.doFinal()));
    }
}
"""


@pytest.mark.thorough
@pytest.mark.django_db
def test_it_works(tmp_path: Path, settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    javac = needs.javac()
    if javac is None:
        pytest.skip("there is no javac: apt-get install default-jdk-headless")
    (tmp_path / "Sign.java").write_text(SOURCE)
    subprocess.run([javac, "Sign.java"], cwd=tmp_path, check=True, timeout=120)
    body, timestamp = compact(full({1: "BANK-A"})), str(int(time.time()))
    (tmp_path / "body.json").write_bytes(body)
    command = [str(Path(javac).with_name("java")), "-cp", ".", "Sign", SECRET, "body.json", timestamp]
    made = subprocess.run(command, cwd=tmp_path, check=True, timeout=300, capture_output=True, text=True).stdout.strip()
    headers: dict[str, str | None] = {"X-Signature": made, "X-Timestamp": timestamp}
    reply = Connector(make_connector()).send(body, headers=headers)
    assert reply.status_code == 200, reply.content
