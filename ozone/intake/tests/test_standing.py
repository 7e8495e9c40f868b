"""What the name of a database means is what is open, or nothing is stored."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ozone.intake.standing import Standing
from ozone.wire.errors import Unavailable


def sqlite(path: Path) -> Any:
    return SimpleNamespace(vendor="sqlite", settings_dict={"NAME": path})


class Server:
    """A PostgreSQL connection, as far as it is asked who answers."""

    vendor = "postgresql"

    def __init__(self, number: int | None) -> None:
        self.number = number
        self.connection = self
        self.settings_dict = {"NAME": "ozone"}

    def cursor(self) -> "Server":
        return self

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, _: str) -> "Server":
        if self.number is None:
            raise PermissionError("permission denied for function pg_control_system")
        return self

    def fetchone(self) -> tuple[int | None]:
        return (self.number,)


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "db.sqlite3"
    file.write_bytes(b"1")
    return file


def is_ours(standing: Standing, connection: Any) -> bool:
    try:
        standing.check(connection)
    except Unavailable as error:
        return error.code != "database_replaced"
    return True


def test_a_file(standing: Standing, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    connection = sqlite(file)
    assert is_ours(standing, connection)  # nobody has opened it yet
    standing.note(connection)
    file.write_bytes(b"2")
    assert is_ours(standing, connection)
    away = file.rename(file.with_name("away"))
    assert [is_ours(standing, connection) for _ in range(3)] == [False] * 3
    file.write_bytes(b"3")
    assert not is_ours(standing, connection)
    standing.note(connection)  # a connection that is made now has the wrong one open
    assert not is_ours(standing, connection)
    away.rename(file)
    assert is_ours(standing, connection)
    said = [(record.levelname, record.message.split(".")[0]) for record in caplog.records]
    assert [level for level, _ in said] == ["ERROR", "ERROR", "WARNING"]
    assert "was removed while it is open" in caplog.records[0].message
    assert "was replaced while it is open" in caplog.records[1].message


def test_no_file(standing: Standing) -> None:
    connection = sqlite(Path(":memory:"))
    standing.note(connection)
    assert is_ours(standing, connection)


def test_a_new_process_looks_anew(standing: Standing, file: Path) -> None:
    standing.note(sqlite(file))
    file.unlink()
    standing.forget()
    assert is_ours(standing, sqlite(file))


def test_a_server(standing: Standing, caplog: pytest.LogCaptureFixture) -> None:
    for number, ours in ((7, True), (7, True), (8, False), (7, True), (None, True)):
        connection: Any = Server(number)
        standing.note(connection)
        assert is_ours(standing, connection) is ours
    assert "another PostgreSQL server answers" in caplog.text
