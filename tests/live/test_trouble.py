"""Trouble: what the real server answers while it lasts, that it loses nothing, and that it serves everybody afterwards.

How fast it is afterwards, and what is only to be quick, are figures of the benchmark, which runs these tests with
their gauge switched on (bench/trouble.py).
"""

import gzip
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hazards import drip, fill, head, idle_connections, send_regardless, small_disk, status_of, write_lock
from tests.support.meters import CLAIM, INGEST, PATIENCE
from tests.support.server import END_SECONDS, ROOT, LiveServer, fresh_database, live_server
from tests.support.staff import Device, Staff
from tests.support.traffic import FIRMWARE_SECONDS, Gauge, check_stored, for_the_benchmark, traffic

MEGABYTE = 1024 * 1024
TEN_MEGABYTES = 10_000_000

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """As on a LAN, behind a proxy on this machine."""
    with fresh_database() as url, live_server(url, production=True, TRUSTED_PROXIES="127.0.0.1") as server:
        yield server


@pytest.fixture(scope="module")
def staff(server: LiveServer) -> Staff:
    return Staff(server.url)


@pytest.fixture(scope="module")
def devices(staff: Staff) -> list[Device]:
    return staff.enrol(12, encrypted=2)


@contextmanager
def untouched() -> Iterator[LiveServer]:
    with fresh_database() as url, live_server(url, production=True) as server:
        yield server


@contextmanager
def on_a_small_disk() -> Iterator[LiveServer]:
    with small_disk() as disk, live_server(production=True, folder=disk) as server:
        yield server


@pytest.fixture(scope="module")
def gauge(server: LiveServer) -> Iterator[Gauge]:
    with for_the_benchmark(untouched()) as twin:
        yield Gauge(server, twin)


def latest(staff: Staff, device: Device) -> tuple[int, float]:
    """The status of a read, and how long it took."""
    began = time.monotonic()
    answer = staff.call("GET", f"/gateway/devices/{device.pk}/telemetry/latest", bearer=device.api_key)
    return answer.status, time.monotonic() - began


# --- The database ---


def test_another_process_holds_the_write_lock(
    server: LiveServer, staff: Staff, devices: list[Device], gauge: Gauge
) -> None:
    token = staff.provision(staff.new_device("newcomer"))
    assert latest(staff, devices[0])[0] in (200, 404)
    with traffic(server, devices, pause=0.1) as load:
        load.wait_for(50)
        with write_lock(server):
            began, claims, reads = time.monotonic(), [], []
            while time.monotonic() - began < 3 or not load.journal.count(503):
                assert time.monotonic() - began < PATIENCE, f"nobody was refused: {load.journal.replies}"
                claims.append(staff.call("POST", CLAIM, {"token": token}))
                reads.append(latest(staff, devices[0]))
                time.sleep(0.05)
        load.wait_for(50)
    if server.database_url.startswith("postgres"):  # a claim waits neither for that table nor behind those that do
        assert {answer.status for answer in claims} == {201}
    else:
        assert {answer.status for answer in claims} == {503}
        assert all(answer.headers["retry-after"].isdigit() for answer in claims)
    assert staff.claim(token).api_key
    assert {status for status, _ in reads} == {200}
    # The event loop does not wait with the writer: one that did would take a second (ozone/wire/tracebacks.py).
    slowest = max(seconds for _, seconds in reads)
    assert slowest < FIRMWARE_SECONDS
    journal = load.journal
    assert journal.statuses() == {201, 503}, journal.replies
    assert not journal.problems  # among them: a 503 without Retry-After
    assert journal.slowest < FIRMWARE_SECONDS
    check_stored(server, journal)
    gauge.check("a lock held for 3 s", slowest)


@pytest.mark.sqlite_only
def test_the_disk_is_full() -> None:
    with on_a_small_disk() as server, for_the_benchmark(on_a_small_disk()) as twin:
        disk = Path(server.database_url.removeprefix("sqlite:///")).parent
        staff = Staff(server.url)
        devices = staff.enrol(12, encrypted=2)
        gauge = Gauge(server, twin)
        with traffic(server, devices) as load:
            for turn in (1, 2):
                load.wait_for(50)
                filler = fill(disk)
                refused = load.journal.count(503)
                until = time.monotonic() + 10
                while load.journal.count(503) < refused + 100:
                    assert time.monotonic() < until, f"turn {turn}: {load.journal.replies}"
                    fill(disk)
                    time.sleep(0.05)
                assert latest(staff, devices[0])[0] == 200
                history = f"/gateway/devices/{devices[0].pk}/telemetry?limit=5000"
                assert staff.call("GET", history, bearer=devices[0].api_key).status == 200
                assert staff.call("POST", "/api/devices/", {"name": "x"}, bearer=staff.sign_in()).status in (201, 503)
                filler.unlink()
        assert load.journal.statuses() == {201, 503}, load.journal.replies
        assert not load.journal.problems
        assert load.journal.slowest < FIRMWARE_SECONDS
        check_stored(server, load.journal)
        gauge.check("a full disk")


# --- Clients ---


@pytest.mark.sqlite_only
def test_a_byte_a_second(server: LiveServer, devices: list[Device], gauge: Gauge) -> None:
    key = f"Authorization: Bearer {devices[0].api_key}"
    heads = [head(server, path, key, "Content-Length: 100") for path in (INGEST, CLAIM, "/api/auth/token/")]
    heads.append(head(server, INGEST, key, "Transfer-Encoding: chunked") + b"50\r\n")
    with ThreadPoolExecutor(len(heads)) as threads, traffic(server, devices, pause=0.4) as load:
        dripped = list(threads.map(lambda request: drip(server, request, 20), heads))
    assert [status_of(reply) for reply, _ in dripped] == [408] * len(heads)
    assert all(json.loads(reply.partition(b"\r\n\r\n")[2])["code"] == "body_timeout" for reply, _ in dripped)
    assert all(10 <= seconds < 10 + FIRMWARE_SECONDS for _, seconds in dripped)
    assert load.journal.statuses() == {201}, load.journal.replies
    assert load.journal.slowest < FIRMWARE_SECONDS
    check_stored(server, load.journal)
    gauge.check("bodies at a byte a second", load.journal.slowest)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("path", [INGEST, CLAIM, "/api/auth/token/"])
def test_chunks_that_are_none(server: LiveServer, devices: list[Device], path: str) -> None:
    key = f"Authorization: Bearer {devices[0].api_key}"
    reply = send_regardless(server, head(server, path, key, "Transfer-Encoding: chunked"), b"ZZ\r\n{}\r\n0\r\n\r\n")
    assert status_of(reply) == 400
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["code"] == "bad_encoding"


@pytest.mark.sqlite_only
def test_two_thousand_idle_connections(server: LiveServer, devices: list[Device], gauge: Gauge) -> None:
    worker = server.workers[0].pid
    with idle_connections(server, 2000) as idle:
        with traffic(server, devices) as load:
            load.wait_for(300)
        gauge.check("2,000 connections that are still idle")
        # Each of them is served as soon as it says something.
        for client in idle[::100]:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert status_of(client.recv(4096)) == 200
    assert load.journal.statuses() == {201}, load.journal.replies
    assert [process.pid for process in server.workers] == [worker]
    check_stored(server, load.journal)
    gauge.check("2,000 idle connections")


@pytest.mark.sqlite_only
def test_a_body_of_ten_megabytes(server: LiveServer, devices: list[Device], gauge: Gauge) -> None:
    key = f"Authorization: Bearer {devices[0].api_key}"
    whole = b"x" * TEN_MEGABYTES
    chunks = [b"10000\r\n" + b"x" * 0x10000 + b"\r\n"] * (TEN_MEGABYTES // 0x10000) + [b"0\r\n\r\n"]
    before = server.memory()
    with traffic(server, devices, pause=0.1) as load:
        for path in (INGEST, CLAIM, "/api/auth/token/"):
            for _ in range(3):
                announced = head(server, path, key, f"Content-Length: {TEN_MEGABYTES}")
                assert status_of(send_regardless(server, announced, whole)) == 413
                unannounced = head(server, path, key, "Transfer-Encoding: chunked")
                assert status_of(send_regardless(server, unannounced, *chunks)) == 413
    assert server.memory() - before < 20 * MEGABYTE
    assert load.journal.statuses() == {201}, load.journal.replies
    check_stored(server, load.journal)
    gauge.check("bodies of 10 MB")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("kind", ["one large member", "many small members"])
def test_a_gzip_bomb(server: LiveServer, staff: Staff, devices: list[Device], gauge: Gauge, kind: str) -> None:
    if kind == "one large member":
        bomb, expected = gzip.compress(bytes(250_000_000)), (413, "body_too_large")
    else:
        # Thirteen thousand gzip files of nothing in a row: each is cheap, all of them are not.
        member = gzip.compress(b"")
        bomb, expected = member * (256 * 1024 // len(member)), (400, "bad_encoding")
    before = server.memory()
    with ThreadPoolExecutor(10) as threads, traffic(server, devices, pause=0.1) as load:
        load.wait_for(20)
        answers = list(
            threads.map(
                lambda _: staff.send(devices[0], bomb, headers={"Content-Encoding": "gzip"}),
                range(50),
            )
        )
    assert Counter((answer.status, answer.json()["code"]) for answer in answers) == {expected: 50}
    assert server.memory() - before < 20 * MEGABYTE
    assert load.journal.statuses() == {201}, load.journal.replies
    assert load.journal.slowest < FIRMWARE_SECONDS
    check_stored(server, load.journal)
    gauge.check(f"gzip bombs of {kind}", load.journal.slowest)


# --- Keys ---


def test_fifty_claims_of_one_token_from_one_address(server: LiveServer, staff: Staff, gauge: Gauge) -> None:
    token = staff.provision(staff.new_device("claimed by one"))
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: staff.call("POST", CLAIM, {"token": token}), range(50)))
    assert {answer.status for answer in answers} == {201}
    (key,) = {answer.json()["api_key"] for answer in answers}
    device = Device(answers[0].json()["device_id"], key, None)
    assert staff.send(device, {"kwh": 1}).status == 201
    gauge.check("fifty claims from one address")


def test_fifty_claims_of_one_token_from_fifty_addresses(server: LiveServer, staff: Staff, gauge: Gauge) -> None:
    token = staff.provision(staff.new_device("claimed by many"))

    def claim(number: int) -> tuple[int, str | None, str | None]:
        headers = {"X-Forwarded-For": f"198.51.100.{number + 1}"}
        answer = staff.call("POST", CLAIM, {"token": token}, headers=headers)
        return answer.status, answer.json().get("code"), answer.json().get("api_key")

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(claim, range(50)))
    assert Counter((status, code) for status, code, _ in answers) == {(201, None): 1, (400, "invalid_token"): 49}
    (key,) = {key for _, _, key in answers if key}
    assert staff.send(Device(0, key, None), {"kwh": 1}).status == 201
    gauge.check("fifty claims from fifty addresses")


class _KeyInUse:
    """A device that sends again and again, and notes when it sent what, and what it was told."""

    def __init__(self, staff: Staff, device: Device) -> None:
        self._staff, self._device = staff, device
        self.told: list[tuple[float, float, int]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_KeyInUse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        # Not as fast as it can: a thousand bad keys in ten seconds are an address's limit, and then 429.
        while not self._end.wait(0.05):
            sent_at = time.monotonic()
            status = self._staff.send(self._device, {"kwh": 1}).status
            self.told.append((sent_at, time.monotonic(), status))

    def check(self, begun: float, revoked: float) -> None:
        """Good until the revocation began, and revoked within a second of its end."""
        assert {status for _, answered_at, status in self.told if answered_at < begun} == {201}
        assert {status for sent_at, _, status in self.told if sent_at > revoked + 1} == {401}
        assert {status for *_, status in self.told} == {201, 401}


_REVOKE = """
import gc, sys, time
gc.disable()
import django
django.setup()
from django.utils import timezone
from device_gateway.models import Device
from device_gateway.keys.credentials import revoke_key
begun = time.monotonic()
assert revoke_key(device=Device.objects.get(pk=sys.argv[1]), now=timezone.now()) == 1
print(begun, time.monotonic())
"""


@pytest.mark.parametrize("how", ["another process", "a new claim"])
def test_a_key_is_revoked_in_use(
    server: LiveServer, staff: Staff, devices: list[Device], gauge: Gauge, how: str
) -> None:
    (device,) = staff.enrol(1)
    with traffic(server, devices, pause=0.3) as load, _KeyInUse(staff, device) as used:
        load.wait_for(20)
        time.sleep(0.5)
        if how == "another process":
            command = [sys.executable, "-c", _REVOKE, str(device.pk)]
            said = subprocess.run(command, cwd=ROOT, env=server.environment, capture_output=True, text=True, check=True)
            begun, revoked = map(float, said.stdout.split())
        else:
            begun = time.monotonic()
            renewed = staff.claim(staff.provision(device.pk))
            revoked = time.monotonic()
            assert staff.send(renewed, {"kwh": 2}).status == 201
        time.sleep(2)
    used.check(begun, revoked)
    assert load.journal.statuses() == {201}, load.journal.replies
    check_stored(server, load.journal)
    gauge.check(f"a key revoked by {how}")


# --- The end ---

ENDS = pytest.mark.parametrize(
    "ctrl_c", [pytest.param(False, id="SIGTERM"), pytest.param(True, id="Ctrl-C", marks=pytest.mark.alike)]
)


def timed(staff: Staff, device: Device) -> tuple[int, float]:
    """The status of a reading, and how long its reply took."""
    began = time.monotonic()
    return staff.send(device, {"kwh": 3}).status, time.monotonic() - began


@ENDS
def test_told_to_end_under_load(server: LiveServer, devices: list[Device], gauge: Gauge, ctrl_c: bool) -> None:
    with traffic(server, devices) as load:
        load.wait_for(200)
        told_at = time.monotonic()
        server.tell_to_end(ctrl_c)
        assert server.wait() < END_SECONDS
        server.start()
        load.wait_for(50)
    journal = load.journal
    assert journal.statuses() <= {201, 503}, journal.replies
    assert not journal.problems
    # What found its connection closed was sent later, and none of it was taken.
    assert [sent for sent, _ in journal.unanswered if sent < told_at - 1] == []
    assert check_stored(server, journal).twice_and_explained == 0
    gauge.check(f"{'Ctrl-C' if ctrl_c else 'SIGTERM'} under load")


@ENDS
@pytest.mark.parametrize("seconds", [1.5, None], ids=["writable-again", "locked-for-long"])
def test_told_to_end_while_requests_wait(
    server: LiveServer, staff: Staff, devices: Sequence[Device], ctrl_c: bool, seconds: float | None
) -> None:
    plain = [device for device in devices if device.data_key is None]
    with ThreadPoolExecutor(len(plain)) as threads, write_lock(server, seconds):
        sent = [threads.submit(timed, staff, device) for device in plain]
        time.sleep(0.4)
        server.tell_to_end(ctrl_c)
        assert server.wait() < END_SECONDS
        answers = [request.result(PATIENCE) for request in sent]
    expected = {503} if seconds is None else {201, 503}
    assert {status for status, _ in answers} <= expected
    assert max(taken for _, taken in answers) < FIRMWARE_SECONDS
    server.start()
