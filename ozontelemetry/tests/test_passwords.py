"""A superuser with the password that everybody knows keeps production from starting."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest
from django.conf import settings as project
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.checks import run_checks
from pytest_django import Settings

from bench.ports import free_port
from ozontelemetry.checks import DATABASE_TAG
from tests.support.server import migrated_file

PRODUCTION = {"DJANGO_DEBUG": "0", "DJANGO_SECRET_KEY": "x" * 50, "DJANGO_ALLOWED_HOSTS": "localhost"}


def found() -> list[tuple[str, str]]:
    return [(str(item.id), item.msg) for item in run_checks(tags=[DATABASE_TAG], include_deployment_checks=True)]


def sentence(name: str) -> str:
    return (
        f"The superuser {name} has the password that everybody knows. "
        f"Change it: python manage.py changepassword {name}."
    )


@pytest.mark.django_db
def test_superusers_only(settings: Settings) -> None:
    User.objects.create_user("vera", password="password", is_staff=True)
    User.objects.create_superuser("root", password="a long walk to the well")
    User.objects.create_superuser("nobody")  # an unusable one
    assert found() == []
    admin = User.objects.create_superuser("admin", password="password")
    admin.is_active = False
    admin.save()
    assert found() == [("ozone.E020", sentence("admin"))]
    settings.DEBUG = True
    assert found() == []


@pytest.mark.django_db
def test_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        User.objects.create_superuser(f"root-{number}", password="password")
    monkeypatch.setattr("ozontelemetry.passwords.SECONDS", -1.0)
    assert found() == [
        ("ozone.W020", "There are so many superusers that the passwords of 5 were not looked at."),
    ]


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[IO[str]]:
    """The output of `manage.py serve` on the folder's database."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "LOG_FILE": "",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=project.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.terminate()
        process.wait(15)


@pytest.mark.real_server
def test_one_database_from_development_to_production(tmp_path: Path) -> None:
    """What `make run` made, in production and on all interfaces, until the password is another one."""
    port = str(free_port())
    shutil.copy(migrated_file(), tmp_path / "db.sqlite3")
    with served(tmp_path, DJANGO_DEBUG="1", PORT=port) as output:
        assert output.readline() == "First operator account: admin / password\n"
    with served(tmp_path, **PRODUCTION, PORT=port) as output:
        said = output.read()
    assert f"(ozone.E020) {sentence('admin')}" in said
    with served(tmp_path, DJANGO_DEBUG="1", PORT=port, HOST="0.0.0.0") as output:
        assert output.readline() == f"Serving this machine only, at 127.0.0.1. {sentence('admin')}\n"
        lines = [output.readline() for _ in range(7)]
        assert lines[0] == f"Ozone Telemetry, development, sqlite: http://localhost:{port}\n"
        listening = _listening_on(int(port))
        assert listening == {"127.0.0.1"}
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database, database:
        changed = PBKDF2PasswordHasher().encode("of a new day", "salt", iterations=1)
        assert database.execute("UPDATE auth_user SET password = ?", (changed,)).rowcount == 1
    with served(tmp_path, **PRODUCTION, PORT=port, HOST="0.0.0.0") as output:
        expected = f"Ozone Telemetry, production, sqlite: 0.0.0.0:{port}\n"
        assert expected in iter(output.readline, "")  # after warnings
        assert _listening_on(int(port)) == {"0.0.0.0"}


def _listening_on(port: int) -> set[str]:
    """Addresses on which somebody listens, as soon as the server answers."""
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            break
        except httpx.TransportError:
            time.sleep(0.1)
    listening = [[*found.laddr] for found in psutil.net_connections("tcp4") if found.status == "LISTEN"]
    return {address for address, bound in listening if bound == port}


@pytest.mark.real_server
@pytest.mark.parametrize("more", [PRODUCTION, {"DJANGO_DEBUG": "1", "HOST": "0.0.0.0"}])
def test_nor_is_it_given_to_a_first_operator(tmp_path: Path, more: dict[str, str]) -> None:
    shutil.copy(migrated_file(), tmp_path / "db.sqlite3")
    with served(tmp_path, **more, PORT=str(free_port()), DJANGO_SUPERUSER_PASSWORD="password") as output:
        said = output.read()
    assert "DJANGO_SUPERUSER_PASSWORD is the password that everybody knows. Set another one." in said
