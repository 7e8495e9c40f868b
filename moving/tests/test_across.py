"""From SQLite to PostgreSQL: killed and gone on, served meanwhile, the same on both sides in the end."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from bench.postgres import PrivatePostgres, private_postgres
from moving.tests.filled import fill, manage, run
from tests.support import needs

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]
READINGS = 12_000
"""Of six steps."""
COPYING = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'killed' AND query LIKE 'COPY%devicetelemetry%'"
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'killed'"
FOREIGN_KEYS = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("source"), READINGS)


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    if needs.postgresql() is None:
        pytest.skip("there is no PostgreSQL")
    with private_postgres() as server:
        yield server


def tables(source: sqlite3.Connection) -> list[str]:
    rows = source.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    return [row[0] for row in rows]


def counts(source: Path, url: str) -> list[tuple[str, int, int]]:
    """Tables whose rows differ in number."""
    found = []
    with closing(sqlite3.connect(source)) as ours, psycopg.connect(url) as theirs:
        for name in tables(ours):
            query = f'SELECT count(*) FROM "{name}"'
            there = theirs.execute(query.encode()).fetchone() or (-1,)
            found.append((name, ours.execute(query).fetchone()[0], there[0]))
    return [counted for counted in found if counted[1] != counted[2]]


def test_killed_and_gone_on(source: Path, server: PrivatePostgres) -> None:
    url = server.create_database("killed")
    before = source.read_bytes()
    for _ in range(2):  # cut off among the readings, not before the first table
        process = subprocess.Popen(**manage(url, "move", str(source)), stdout=subprocess.DEVNULL)
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as looking:
            deadline = time.monotonic() + 60
            while looking.execute(COPYING).fetchone() != (1,) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
            assert process.wait(10) == -signal.SIGKILL
            while looking.execute(CONNECTED).fetchone() != (0,):  # until the server has noticed, too
                time.sleep(0.01)
    refused = run(url, "serve", PORT="1")
    assert (refused.returncode, "let `manage.py move` come to its end first" in refused.stderr) == (1, True)
    done = run(url, "move", str(source))
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(source, url) == []
    assert source.read_bytes() == before
    with psycopg.connect(url) as moved, closing(sqlite3.connect(source)) as ours:
        lists = [f"SELECT count(*) FROM pragma_foreign_key_list('{name}')" for name in tables(ours)]
        assert moved.execute(FOREIGN_KEYS).fetchone() == (sum(ours.execute(query).fetchone()[0] for query in lists),)
        # The next row gets a number of its own.
        last = moved.execute(
            "SELECT max(id), nextval(pg_get_serial_sequence('device_gateway_devicetelemetry', 'id'))"
            " FROM device_gateway_devicetelemetry"
        ).fetchone()
        assert last is not None and last[1] == last[0] + 1
    again = run(url, "move", str(source))
    assert "is not empty: make a new one" in again.stderr


def test_beside_a_server_and_once_more(source: Path, server: PrivatePostgres) -> None:
    url = server.create_database("served")
    with closing(sqlite3.connect(source)) as serving:
        serving.execute("SELECT count(*) FROM auth_user").fetchone()
        done = run(url, "move", str(source))
        assert (done.returncode, "Stop its server, and run the same once more" in done.stderr) == (1, True), done.stderr
        assert "is under way into this database" in run(url, "move", __file__).stderr
        with serving:
            serving.execute("UPDATE django_migrations SET name = 'older' WHERE app = 'moving'")
        assert "The source is not of this release" in run(url, "move", str(source)).stderr
        with serving:
            serving.execute("UPDATE django_migrations SET name = '0001_initial' WHERE app = 'moving'")
        # What a first pass cannot know: changed, gone, new, and unique values that change places.
        a, b = serving.execute("SELECT id, name FROM device_gateway_devicename ORDER BY id LIMIT 2").fetchall()
        with serving:
            serving.execute("UPDATE device_gateway_devicename SET name = 'between' WHERE id = ?", (a[0],))
            serving.execute("UPDATE device_gateway_devicename SET name = ? WHERE id = ?", (a[1], b[0]))
            serving.execute("UPDATE device_gateway_devicename SET name = ? WHERE id = ?", (b[1], a[0]))
            serving.execute(
                "DELETE FROM device_gateway_devicetelemetry WHERE id IN"
                " (2, (SELECT max(id) FROM device_gateway_devicetelemetry))"
            )
            serving.execute("UPDATE device_gateway_devicetelemetry SET payload = '{\"kwh\": 1e2}' WHERE id = 9000")
            serving.execute(
                "INSERT INTO django_session VALUES ('Zz', 'x', '2030-01-01 00:00:00'), ('aA', 'y', '2030-01-01')"
            )
    done = run(url, "move", str(source))
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(source, url) == []
    with psycopg.connect(url) as moved:
        names = moved.execute("SELECT name FROM device_gateway_devicename ORDER BY id LIMIT 2").fetchall()
        assert names == [(b[1],), (a[1],)]
        found = moved.execute("SELECT payload::text FROM device_gateway_devicetelemetry WHERE id = 9000").fetchone()
        assert found == ('{"kwh": 100}',)


@pytest.mark.django_db
def test_only_into_postgresql(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="DATABASE_URL names the database to move into: a PostgreSQL URL"):
        call_command("move", tmp_path / "db.sqlite3")
