"""Polls that wait, against the real server: woken in every process, given up, taken over, let go at the end."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.support.server import END_SECONDS, LiveServer, fresh_database, live_server
from tests.support.staff import Answer, Staff

MAC = "02:00:00:00:00:01"
POLL = f"/api/device/{MAC}/commands/"
LONG = 25
"""Seconds of a wait that no test sits out: whatever ends it in time was told to."""

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database())
        yield stack.enter_context(live_server(url))


@pytest.fixture(scope="module")
def staff(server: LiveServer) -> Staff:
    return Staff(server.url)


@pytest.fixture(scope="module")
def access(staff: Staff) -> str:
    return staff.sign_in()


@pytest.fixture(scope="module")
def token(staff: Staff, access: str) -> str:
    token = staff.call("POST", "/api/handshake/", {"mac": MAC}).json()["token"]
    assert staff.call("PATCH", f"/api/devices/{MAC}/", {"assigned": True}, bearer=access).status == 200
    return str(token)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def address(server: LiveServer) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


def order(staff: Staff, access: str) -> str:
    answer = staff.call("POST", f"{POLL}create/", {"command_type": "CLEAR_QUEUE"}, bearer=access)
    assert answer.status == 201
    return str(answer.json()["command_id"])


def held(
    threads: ThreadPoolExecutor, staff: Staff, token: str, seconds: float = LONG
) -> "Future[tuple[Answer, float]]":
    """A poll that waits; its reply, and when it came."""

    def poll() -> tuple[Answer, float]:
        answer = staff.call("GET", f"{POLL}?wait={seconds}", bearer=token, timeout=LONG + 5)
        return answer, time.monotonic()

    future = threads.submit(poll)
    time.sleep(0.4)
    assert not future.done()
    return future


def test_a_new_command_wakes_it_whichever_process_it_was_made_in(
    threads: ThreadPoolExecutor, server: LiveServer, staff: Staff, access: str, token: str
) -> None:
    # On PostgreSQL two processes serve: of ten connections some are the other's.
    for _ in range(10):
        began = time.monotonic()
        waiting = held(threads, staff, token)
        number = order(staff, access)
        answer, at = waiting.result(LONG)
        assert [command["command_id"] for command in answer.json()["commands"]] == [number]
        assert at - began < LONG / 2


def test_without_one_the_reply_is_empty_when_the_time_is_up(staff: Staff, token: str) -> None:
    began = time.monotonic()
    answer = staff.call("GET", f"{POLL}?wait=1.5", bearer=token)
    assert (answer.status, answer.json()["commands"]) == (200, [])
    assert time.monotonic() - began >= 1.5


def test_whoever_has_hung_up_gets_none(server: LiveServer, staff: Staff, access: str, token: str) -> None:
    client = socket.create_connection(address(server))
    head = f"GET {POLL}?wait={LONG} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    client.sendall(head.encode())
    time.sleep(0.5)
    client.close()
    time.sleep(0.5)
    number = order(staff, access)
    time.sleep(0.5)
    recent = staff.call("GET", f"{POLL}status/", bearer=access).json()["recent_commands"]
    assert [command["status"] for command in recent if command["command_id"] == number] == ["pending"]
    answer = staff.call("GET", POLL, bearer=token)
    assert [command["command_id"] for command in answer.json()["commands"]] == [number]


@pytest.mark.sqlite_only  # between processes: tests/nodes/test_seats.py
def test_a_newer_poll_ends_the_older_one(threads: ThreadPoolExecutor, staff: Staff, access: str, token: str) -> None:
    older = held(threads, staff, token)
    newer = held(threads, staff, token)
    answer, _ = older.result(5)
    assert (answer.status, answer.json()["commands"]) == (200, [])
    number = order(staff, access)
    answer, _ = newer.result(5)
    assert [command["command_id"] for command in answer.json()["commands"]] == [number]


def test_a_key_that_is_revoked_meanwhile_gets_nothing(threads: ThreadPoolExecutor, staff: Staff, access: str) -> None:
    mac = "02:00:00:00:00:02"
    path = f"/api/device/{mac}/commands/"
    token = staff.call("POST", "/api/handshake/", {"mac": mac}).json()["token"]
    staff.call("PATCH", f"/api/devices/{mac}/", {"assigned": True}, bearer=access)
    waiting = threads.submit(staff.call, "GET", f"{path}?wait={LONG}", bearer=token, timeout=LONG + 5)
    time.sleep(0.4)
    assert staff.call("POST", f"/api/devices/{mac}/rotate/", {}, bearer=access).status == 200
    time.sleep(1)
    staff.call("POST", f"{path}create/", {"command_type": "CLEAR_QUEUE"}, bearer=access)
    assert waiting.result(LONG).json()["commands"] == []
    assert staff.call("GET", f"{path}status/", bearer=access).json()["stats"]["pending"] == 1


def test_told_to_end_it_lets_everybody_go(server: LiveServer, token: str) -> None:
    replies: list[int] = []

    def wait(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", f"{POLL}?wait={LONG}", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert json.loads(answer.read())["commands"] == []
        replies.append(answer.status)

    connections = [http.client.HTTPConnection(*address(server), timeout=LONG) for _ in range(3)]
    waiting = [threading.Thread(target=wait, args=[connection]) for connection in connections]
    for thread in waiting:
        thread.start()
        time.sleep(0.2)
    time.sleep(1)  # the last has surely arrived: one that has not finds no server
    server.tell_to_end()
    assert server.wait() < END_SECONDS
    for thread in waiting:
        thread.join(6)
    assert replies == [200] * 3
    server.start()
