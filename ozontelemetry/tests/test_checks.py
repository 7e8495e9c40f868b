"""Startup checks: each has an id, says what to set, and keeps a server from starting, but no management command."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.checks import ERROR, run_checks
from pytest_django import Settings

from device_gateway.claims.payloads import LONGEST_HOST
from ozontelemetry.checks import TAG


def ids() -> list[str]:
    found = run_checks(tags=[TAG], include_deployment_checks=True)
    for message in found:
        assert message.msg.endswith(".")  # a sentence
        assert message.id is not None
        assert (message.level >= ERROR) is message.id.startswith("ozone.E")
    return sorted(str(message.id) for message in found)


@pytest.fixture(autouse=True)
def _sound(settings: Settings) -> None:
    """A production with nothing to say against it."""
    settings.ALLOW_PLAIN_HTTP = False
    settings.SECRET_KEY_IS_SET = True
    settings.STATIONS_ENABLED = "0"
    settings.ALERT_CHANNEL_KINDS = ["webhook"]


def test_nothing_to_say() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY_IS_SET", False, ["ozone.E001"]),
        ("ALLOWED_HOSTS", [], ["ozone.E002"]),
        ("ALLOW_PLAIN_HTTP", True, ["ozone.W001"]),
        ("DEVICE_DATA_KEY", [], ["ozone.W002"]),
        ("ALLOWED_HOSTS", ["h" * LONGEST_HOST], []),
        ("ALLOWED_HOSTS", ["h" * (LONGEST_HOST + 1)], ["ozone.W003"]),
        ("ALLOWED_HOSTS", ["ok", "h" * 60, "g" * 60], ["ozone.W003", "ozone.W003"]),
        ("TRUSTED_PROXIES", ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"], []),
        ("TRUSTED_PROXIES", ["10.0.0.0/8", "proxy.local", "10.0.0.0/33"], ["ozone.E004", "ozone.E004"]),
        ("DEVICE_DATA_KEY", ["short"], ["ozone.E005"]),
        ("LIMIT_FAILED_CLAIMS", "20 per minute", ["ozone.E006"]),
        ("LIMIT_DEVICE_WRITES", "0/10", ["ozone.E006"]),
        ("LIMIT_UNKNOWN_KEYS", "20/0", ["ozone.E006"]),
        ("DEVICE_EPOCH", "long ago", ["ozone.E007"]),
        ("REGISTRATION", "maybe", ["ozone.E008"]),
        ("REGISTRATION", "closed", []),
        ("USE_TZ", False, ["ozone.E009"]),
        ("STATIONS_ENABLED", "maybe", ["ozone.E011"]),
        ("DEVICE_TIME_ZONE", "Asia/Singapore", []),
        ("DEVICE_TIME_ZONE", "Asia/Atlantis", ["ozone.E012"]),
        ("DEVICE_TIME_ZONE", "../etc/passwd", ["ozone.E012"]),
        ("DEVICE_TIME_ZONE", "", ["ozone.E012"]),
        ("CURRENCY", "myr", ["ozone.E017"]),
        ("CURRENCY", "XXX", ["ozone.E017"]),
        ("RETENTION_READINGS", 29, ["ozone.E019"]),
        ("RETENTION_READINGS", 30, []),
        ("RETENTION_READINGS", -1, ["ozone.E019"]),
        ("MESSAGE_ID_DAYS", 0, ["ozone.E019"]),
        ("PUBLIC_URL", "telemetry.example.com", ["ozone.E018"]),
        ("WEBHOOK_ALLOWED_NETWORKS", ["10.0.0.0/8", "fd00::/8", "192.0.2.7"], []),
        ("WEBHOOK_ALLOWED_NETWORKS", ["home", "10.0.0.0/33"], ["ozone.E030", "ozone.E030"]),
        ("ALERT_REPORT_TIME", "7 in the morning", ["ozone.E032"]),
        ("ALERT_CHANNEL_KINDS", ["webhook", "ntfys"], []),
        ("ALERT_CHANNEL_KINDS", ["webhook", "email"], ["ozone.W032"]),
        ("EMAIL_HOST", "mail.example.com", ["ozone.W031"]),
        ("UNSAFE_COMMANDS", [], []),
        ("UNSAFE_COMMANDS", ["REBOOT_DEVICE@1.0.0-sim", "SYNC_TIME@a@b"], []),
        ("UNSAFE_COMMANDS", ["REBOOT_DEVICE"], ["ozone.E015"]),
        ("UNSAFE_COMMANDS", ["REBOOT_DEVICE@", "@1.0.0", "reboot_device@1.0.0"], ["ozone.E015"] * 3),
        ("UNSAFE_COMMANDS", ["REBOOT_DEVICE @1.0.0", "REBOOT_DEVICE@ 1.0.0", ""], ["ozone.E015"] * 3),
    ],
)
def test_one_thing_is_wrong(settings: Settings, name: str, value: Any, expected: list[str]) -> None:
    setattr(settings, name, value)
    assert ids() == expected


def test_one_kind_of_encryption(settings: Settings) -> None:
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = True
    assert ids() == ["ozone.E031"]


def test_chats_need_apprise(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALERT_CHANNEL_KINDS = ["ntfys"]
    monkeypatch.setattr("alerts.carriers.chat.find_spec", lambda name: None)
    assert ids() == ["ozone.W030"]


def test_e_mail_has_a_sender(settings: Settings) -> None:
    settings.ALERT_CHANNEL_KINDS = ["email"]
    settings.EMAIL_HOST, settings.PUBLIC_URL = "mail.example.com", "https://ozone.example.com"
    assert ids() == ["ozone.W032"]
    settings.DEFAULT_FROM_EMAIL = "Ozone <alerts@example.com>"
    assert ids() == []


class TestStations:
    @pytest.mark.parametrize(
        ("secret", "addresses", "expected"),
        [
            ("s" * 32, ["192.0.2.7"], []),
            ("s" * 31, ["192.0.2.7"], ["ozone.E010"]),
            ("", ["192.0.2.7"], ["ozone.E010"]),
            ("s" * 32, [], ["ozone.W010"]),
        ],
    )
    def test_production(self, settings: Settings, secret: str, addresses: list[str], expected: list[str]) -> None:
        settings.STATIONS_ENABLED = "1"
        settings.IOT_SYSTEM_SIGNATURE_SECRET = secret
        settings.IOT_SYSTEM_ALLOWED_IPS = addresses
        assert ids() == expected


def test_development_needs_none_of_it(settings: Settings) -> None:
    settings.DEBUG = True
    settings.SECRET_KEY_IS_SET = False
    settings.ALLOWED_HOSTS = []
    settings.DEVICE_DATA_KEY = []
    settings.ALLOW_PLAIN_HTTP = True
    settings.STATIONS_ENABLED = "1"
    assert ids() == []


def test_development_is_told_of_values_that_cannot_work(settings: Settings) -> None:
    settings.DEBUG = True
    settings.LIMIT_FAILED_CLAIMS = "many"
    assert ids() == ["ozone.E006"]


def run(tmp_path: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Python with the product's own settings and nothing else set."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    empty = {"DJANGO_SECRET_KEY": "", "DJANGO_ALLOWED_HOSTS": "", "DJANGO_DEBUG": "0", "ALLOW_PLAIN_HTTP": "0"}
    database = {"DATABASE_URL": f"sqlite:///{tmp_path / 'check.sqlite3'}"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project.BASE_DIR,
        env={**kept, **empty, **database, "DJANGO_SETTINGS_MODULE": "ozontelemetry.settings", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.thorough
def test_a_server_without_its_settings_does_not_start(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", "import ozontelemetry.asgi")
    assert done.returncode != 0
    assert "ozone.E001" in done.stderr and "Set DJANGO_SECRET_KEY" in done.stderr
    assert "ozone.E002" in done.stderr and "Set DJANGO_ALLOWED_HOSTS" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_with_them_it_does(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "-c",
        "import gc, ozontelemetry.asgi; print('up', gc.isenabled())",
        DJANGO_SECRET_KEY="for-tests-only-and-good-for-nothing-else-at-all",
        DJANGO_ALLOWED_HOSTS="meters.example.com",
    )
    assert (done.returncode, done.stdout) == (0, "up True\n"), done.stderr


@pytest.mark.thorough
def test_in_development_it_needs_none(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", "import ozontelemetry.asgi; print('up')", DJANGO_DEBUG="1")
    assert (done.returncode, done.stdout) == (0, "up\n"), done.stderr


@pytest.mark.thorough
def test_a_second_server_on_a_port_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as first:  # as the server listens
        port = str(first.getsockname()[1])
        done = run(tmp_path, "manage.py", "serve", DJANGO_DEBUG="1", PORT=port)
    assert done.returncode != 0
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Set another HOST or PORT." in done.stderr
    assert not (tmp_path / "check.sqlite3").exists()


@pytest.mark.thorough
def test_management_commands_need_none(tmp_path: Path) -> None:
    done = run(tmp_path, "manage.py", "migrate", "device_gateway", "--verbosity=0")
    assert done.returncode == 0, done.stderr
