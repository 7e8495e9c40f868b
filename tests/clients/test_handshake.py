"""OzoneTls's handshakes by a clock that only the trial moves: no tick is late by more than one message of them."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.clients.tls import authority, certificate
from tests.support import needs
from tests.support.length import length
from tests.support.server import ROOT

HERE = Path(__file__).with_name("arduino")
HOST = ROOT / "clients" / "core" / "host"
CHECKED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CPP = ["-std=gnu++17", "-fno-rtti", "-fno-exceptions"]
STEP = "-Dmbedtls_ssl_handshake_step=timed_step"
"""In the library alone: there a message of the handshake takes its time."""

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.thorough,
    pytest.mark.skipif(needs.arduino() is None, reason="Arduino's classes are not here"),
]


def test_a_server_that_misbehaves_costs_no_tick_more_than_one_message(tmp_path: Path) -> None:
    make = ["make", "-s", "arduino", f"ARDUINO={tmp_path}"]
    subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    library = tmp_path / "OzoneTelemetry" / "src"
    folders = [f"-I{folder}" for folder in (HERE / "core", library, HOST, needs.arduino())]
    cores = [*library.glob("core/src/*.c"), HOST / "fake_server.c"]
    subprocess.run(["gcc", "-std=c99", *CHECKED, "-c", *cores], cwd=tmp_path, check=True)
    ours = [library / name for name in ("OzoneDevice.cpp", "OzoneBoard.cpp", "OzoneTls.cpp")]
    subprocess.run(["g++", *CPP, *CHECKED, STEP, *folders, "-c", *ours], cwd=tmp_path, check=True)
    program = tmp_path / "tls_stalls"
    command = ["g++", *CPP, *CHECKED, *folders, "-o", str(program), str(HERE / "tls_stalls.cpp")]
    subprocess.run([*command, *map(str, tmp_path.glob("*.o")), "-lmbedtls", "-lmbedx509", "-lmbedcrypto"], check=True)

    ours_and_key = authority("ours")
    (tmp_path / "ca.pem").write_bytes(ours_and_key[1].public_bytes(serialization.Encoding.PEM))
    certificate(tmp_path / "server", ours_and_key, "good")
    files = [tmp_path / name for name in ("ca.pem", "server.pem", "server.key")]
    run = [str(program), *map(str, files), str(length(3, 60))]
    done = subprocess.run(run, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert int(done.stdout.split()[1]) >= 10
