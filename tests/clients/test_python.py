"""The Python client of clients/python, against the real server."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ozone_telemetry_client import (
    AsyncDevice,
    Command,
    Device,
    Operator,
    Queue,
    QueueFull,
    Refused,
    Result,
    Settings,
    State,
)
from ozone_telemetry_client.conversation import Answer, Conversation

from tests.clients.conversations import Clock, conversation, welcome
from tests.clients.devices import MAC, until
from tests.support.length import length
from tests.support.server import ADMIN, PASSWORD, ROOT, LiveServer, fresh_database, live_server

SECONDS = 60.0
PATIENCE = 330.0
"""As long as a device may wait before it tries again."""

pytestmark = pytest.mark.sqlite_only


# --------------------------------------------------------------------------- without a network


def test_ids_are_never_used_twice(tmp_path: Path) -> None:
    """Not when the queue has emptied, not after a restart, not with an erased disk."""
    ids = set()
    for _ in range(3):
        queue = Queue(tmp_path / "queue.sqlite3")
        for _ in range(5):
            ids.add(queue.append("event", {}))
            queue.stored(queue.oldest(1))
        queue.close()
    (tmp_path / "queue.sqlite3").unlink()
    ids.add(Queue(tmp_path / "queue.sqlite3").append("event", {}))
    assert len(ids) == 16


def test_a_full_queue_refuses_or_drops_and_counts(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "refuses.sqlite3", capacity=2)
    first, _ = queue.append("event", {}), queue.append("event", {})
    with pytest.raises(QueueFull):
        queue.append("event", {})
    assert queue.oldest(1)[0].body["event_id"] == first and len(queue) == 2

    drops = Queue(tmp_path / "drops.sqlite3", capacity=2, drop_oldest=True)
    ids = [drops.append("event", {"n": n}) for n in range(3)]
    assert ([record.body["event_id"] for record in drops.oldest(9)], drops.dropped) == (ids[1:], 1)


def test_what_is_no_json_is_not_taken(tmp_path: Path) -> None:
    talk = conversation(tmp_path, Clock())
    for wrong in ({"a": float("nan")}, {"a": {1, 2}}):
        with pytest.raises((ValueError, TypeError)):
            talk.reading(wrong)
    with pytest.raises(ValueError, match="treatment"):
        talk.press("GOLD", 1)
    assert len(talk.queue) == 0


def test_401_by_its_code(tmp_path: Path) -> None:
    clock = Clock()
    talk = conversation(tmp_path, clock)
    welcome(talk, assigned=False)
    assert talk.state is State.WAITING_FOR_OPERATOR and talk.next_request() is None
    clock.now += 30.0
    again = talk.next_request()
    assert again is not None and (again.path, again.token) == ("/api/handshake/", "secret-token")
    talk.answered(again, Answer(200, {"device_id": "m1", "token": "secret-token", "assigned": True}))
    poll = talk.next_request()
    assert poll is not None and poll.path.startswith("/api/device/m1/commands/")
    talk.answered(poll, Answer(401, {"code": "bad_credential"}))
    shown = talk.next_request()
    assert shown is not None and (shown.job, shown.token) == ("hello", "secret-token")
    talk.answered(shown, Answer(403, {"code": "reenrolment_required"}))
    assert talk.state is State.BLOCKED and "Allow re-enrolment" in talk.why
    assert talk.due_in() == pytest.approx(300.0)


def test_it_backs_off_and_heeds_retry_after(tmp_path: Path) -> None:
    clock = Clock()
    talk = conversation(tmp_path, clock)
    waits = []
    for _ in range(10):
        request = talk.next_request()
        assert request is not None
        talk.answered(request, Answer(503, None))
        waits.append(talk.due_in())
        clock.now += waits[-1]
    assert all(
        0.8 * base <= wait <= 1.2 * base
        for wait, base in zip(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True)
    )
    request = talk.next_request()
    assert request is not None
    talk.answered(request, Answer(429, None, retry_after=1000.0))
    assert talk.due_in() == pytest.approx(1000.0)


def test_one_that_is_refused_is_set_aside_and_the_next_go_on(tmp_path: Path) -> None:
    talk = conversation(tmp_path, Clock())
    welcome(talk)
    for counter in range(3):
        talk.press("BASIC", counter)
    request = talk.next_request()
    assert request is not None and len(request.body) == 3
    for strange in ({"ack": False}, {"event_id": "x", "ack": False}):
        talk.answered(request, Answer(200, {"ack": False, "results": [strange] * 3}))
    talk.answered(request, Answer(200, {"ack": False, "results": [{"event_id": b["event_id"]} for b in request.body]}))
    assert (len(talk.queue), talk.queue.refused) == (3, 0)
    results = [{"event_id": body["event_id"], "ack": index != 1} for index, body in enumerate(request.body)]
    talk.answered(request, Answer(200, {"ack": False, "results": results}))
    assert (len(talk.queue), talk.queue.refused) == (0, 1)


def test_a_command_that_was_cut_off_is_not_done_again(tmp_path: Path) -> None:
    class PowerCut(BaseException):
        pass

    def cut(_: Command) -> Result:
        raise PowerCut

    told = {"command_id": "c1", "command_type": "RESET_COUNTERS", "payload": {}}
    talk = conversation(tmp_path, Clock(), handlers={"RESET_COUNTERS": cut})
    welcome(talk)
    poll = talk.next_request()
    assert poll is not None
    with pytest.raises(PowerCut):
        talk.answered(poll, Answer(200, {"commands": [told]}))
    talk.queue.close()

    done: list[Command] = []
    talk = conversation(tmp_path, Clock(), handlers={"RESET_COUNTERS": done.append})
    report = talk.next_request()
    assert report is not None and report.body == {"success": False, "message": "interrupted", "response_data": {}}
    talk.answered(report, Answer(200, {"status": "updated"}))
    poll = talk.next_request()
    assert poll is not None
    talk.answered(poll, Answer(200, {"commands": [told]}))
    assert done == []
    report = talk.next_request()
    assert report is not None and report.body["message"] == "interrupted"


@pytest.mark.parametrize("kind", ["event", "reading"])
@pytest.mark.parametrize("status", [200, 400, 401])
def test_a_login_pages_answer_stores_nothing(tmp_path: Path, kind: str, status: int) -> None:
    """Nor does any other word that is none of this server's; and none of them ends the thread."""
    bodies: tuple[Any, ...] = (None, [], "x", {}, {"ack": False}, {"results": [7]}, {"commands": 7}, {"token": "t\n"})
    clock = Clock()
    queue = Queue(tmp_path / "queue.sqlite3")
    settings = Settings(mac=MAC) if kind == "event" else Settings(claim_token="claim")
    queue.put_facts(token="secret-token", device_id="m1")
    talk = Conversation(queue, settings, clock)
    talk.press("BASIC", 1) if kind == "event" else talk.reading({"v": 1})
    for body in (*bodies, *bodies):
        for _ in range(3):
            if request := talk.next_request():
                talk.answered(request, Answer(status, body))
            clock.now += 100.0
        assert talk.state is not State.ONLINE
    assert (len(queue), queue.refused, queue.fact("token")) == (status != 400, status == 400, "secret-token")


def test_a_result_that_is_no_json_is_a_failure_of_its_command(tmp_path: Path) -> None:
    handlers = {"GET_STATUS": lambda _: Result(True, "", {"a": float("nan")})}
    talk = conversation(tmp_path, Clock(), handlers=handlers)
    welcome(talk)
    poll = talk.next_request()
    assert poll is not None
    talk.answered(poll, Answer(200, {"commands": [{"command_id": "c1", "command_type": "GET_STATUS"}]}))
    report = talk.next_request()
    assert report is not None and report.body["success"] is False and "ValueError" in report.body["message"]


# --------------------------------------------------------------------------- with the real server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with fresh_database() as url, live_server(url) as running:
        yield running


@pytest.fixture
def operator(server: LiveServer) -> Iterator[Operator]:
    with Operator(server.url, ADMIN, PASSWORD) as person:
        yield person


def assign(operator: Operator, mac: str) -> None:
    def assigned() -> bool:
        try:
            return bool(operator.change_device(mac, assigned=True)["assigned"])
        except Refused:
            return False

    until(assigned)


@pytest.mark.real_server
def test_a_machine_from_its_first_word(server: LiveServer, operator: Operator, tmp_path: Path) -> None:
    heard: list[Command] = []
    settings = Settings(
        mac=MAC, firmware="py-1", held_poll_seconds=20, hello_seconds=1, handlers={"GET_STATUS": heard.append}
    )
    with Device(server.url, Queue(tmp_path / "queue.sqlite3"), settings) as device:
        identifier = device.press("PREMIUM", 3, {"basic": 0, "standard": 0, "premium": 3})
        until(lambda: device.state is State.WAITING_FOR_OPERATOR)
        assert len(device.queue) == 1
        assign(operator, MAC)
        until(lambda: not len(device.queue), 40)
        (event,) = operator.events(device_id=MAC)
        assert (event["event_id"], event["treatment"], event["counter"]) == (identifier, "PREMIUM", 3)
        (listed,) = operator.devices()
        assert listed["counts"] == {"basic": 0, "standard": 0, "premium": 3}
        assert operator.device(MAC)["firmware"] == "py-1"

        command_id = operator.command(MAC, "GET_STATUS", payload={"a": 1})
        until(lambda: operator.command_status(MAC)["stats"]["executed"] == 1, 40)
        assert [(command.command_id, command.payload) for command in heard] == [(command_id, {"a": 1})]
        bulk = operator.commands([MAC, "nobody"], "SYNC_TIME")
        assert (bulk["created_count"], bulk["failed_count"]) == (1, 1)
    assert operator.statistics(device_id=MAC, days=1)["kpi"]["total"] == 1
    assert operator.machines() == []
    with pytest.raises(Refused, match="404"):
        operator.device("nobody")


@pytest.mark.real_server
def test_a_meter_on_an_event_loop(server: LiveServer, operator: Operator, tmp_path: Path) -> None:
    made = httpx.post(
        f"{server.url}/api/devices/", json={"name": "meter"}, headers=dict(operator._http.headers)
    ).json()["device_id"]
    token = operator._call("POST", f"/api/devices/{made}/provision", json={})["token"]

    async def lives() -> None:
        device = AsyncDevice(server.url, Queue(tmp_path / "queue.sqlite3"), Settings(claim_token=token))
        task = asyncio.create_task(device.run())
        for number in range(50):
            await device.reading({"voltage": number})
        async with asyncio.timeout(SECONDS):
            await asyncio.to_thread(until, lambda: not len(device.queue))
        task.cancel()

    asyncio.run(lives())
    assert Counter(row["payload"]["voltage"] for row in operator.readings(made)) == Counter(range(50))


_PRESSES = """
import sys
from ozone_telemetry_client import Device, Queue, Settings
url, path, mac, first = sys.argv[1:]
with Device(url, Queue(path), Settings(mac=mac, poll_seconds=0.5, hello_seconds=0.5)) as device:
    for counter in range(int(first), 10**6):
        device.press("BASIC", counter)
        print(counter, flush=True)
"""


@pytest.mark.real_server
def test_kills_of_either_side_lose_nothing(tmp_path: Path) -> None:
    promised: list[int] = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    path = tmp_path / "queue.sqlite3"
    with fresh_database() as url, live_server(url) as server, Operator(server.url, ADMIN, PASSWORD) as operator:
        threading.Thread(target=assign, args=(operator, MAC)).start()
        for life in range(length(4, 200)):
            command = [sys.executable, "-c", _PRESSES, server.url, str(path), MAC, str(len(promised) + 1000 * life)]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as device:
                assert device.stdout is not None
                for count, line in enumerate(device.stdout):
                    promised.append(int(line))
                    if count == 40 and life % 2:
                        server.kill()
                    if count == 80:
                        device.send_signal(signal.SIGKILL)
                        break
                promised += [int(line) for line in device.stdout if line.endswith("\n")]
            if life % 2:
                server.start()
        device_now = Device(server.url, Queue(path), Settings(mac=MAC))
        assert device_now.send_all(PATIENCE)
        with Operator(server.url, ADMIN, PASSWORD) as person:
            stored = Counter(event["counter"] for event in person.events(device_id=MAC))
    assert set(promised) <= set(stored)
    assert set(stored.values()) == {1}
    assert len(promised) >= 80 * length(4, 200)
