"""Which hosts of several a connection is tried at."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from ozone.intake.hosts.base import those_that_answer

ASKED = bytes.fromhex("0000000804d2162f")


def listening(stack: ExitStack) -> socket.socket:
    return stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of one whose kernel takes connections, and who never says a word."""
    with ExitStack() as stack:
        yield listening(stack).getsockname()[1]


@pytest.fixture
def speaking() -> Iterator[int]:
    """The port of one that answers as PostgreSQL does, once."""
    with ExitStack() as stack:
        server = listening(stack)

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                if caller.recv(len(ASKED)) == ASKED:
                    caller.sendall(b"N")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_one_that_is_silent_is_left_out(silent: int, speaking: int) -> None:
    asked = {"host": "127.0.0.1,127.0.0.1", "port": f"{silent},{speaking}", "dbname": "ozone"}
    assert those_that_answer(asked) == {"host": "127.0.0.1", "port": f"{speaking}", "dbname": "ozone"}


def test_where_none_answers_all_are_tried(silent: int) -> None:
    asked = {"host": "127.0.0.1,127.0.0.1", "port": f"{silent},1"}
    assert those_that_answer(asked) == asked


@pytest.mark.parametrize(
    "more", [{"host": "127.0.0.1"}, {"host": "127.0.0.1,/run/postgresql"}, {"host": "a,b", "hostaddr": "127.0.0.1,::1"}]
)
def test_what_is_left_alone(silent: int, more: dict[str, str]) -> None:
    asked = {"port": f"{silent}"} | more
    assert those_that_answer(asked) == asked
