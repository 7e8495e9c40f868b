"""Acknowledged means stored: kills the real server under load, again and again, and looks for what is gone.

    python -m tests.live.crash --rounds 100 [--postgres] [--seed 7]

In each round several processes load the server, single readings and batches, half of them with a message_id, some
encrypted, while new devices claim their keys. At a random moment, in every other round the very moment in which one
more device reads its acknowledgement, every process of the server gets SIGKILL. It is started again, the senders
repeat what got no reply, as a meter does, and what they were told is compared with the database: no acknowledged
reading may be missing, and none with a message_id or a nonce may be there twice. On PostgreSQL every third round stops
the database at once instead, and brings it back: 503 while it is away, and never a 401.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from bench.postgres import PrivatePostgres
from simulators.client import Endpoint
from tests.support.hazards import connect
from tests.support.ledger import Database, Verdict, compare, report_of
from tests.support.meters import INGEST, PATIENCE, Entry, Journal, reading
from tests.support.server import ROOT, LiveServer, live_server, migrated_postgres
from tests.support.staff import Device, Staff

PROCESSES = 3
DEVICES_EACH = 6
ENCRYPTED = 4
"""Of all devices together."""
LOAD_SECONDS = (0.2, 1.2)
AWAY_SECONDS = (0.2, 2.5)
"""How long PostgreSQL stays away when it is what is stopped."""
NUMBERS_EACH = 10_000_000
"""Readings are numbered anew in each round from a multiple of this, so that no two are alike."""
WITHIN_SECONDS = 5.0
"""A reply must come before the firmware hangs up."""


@dataclass
class Round:
    """What one round showed; `moment`: seconds of load before the blow."""

    number: int
    blow: str
    moment: float
    journal: Journal
    verdict: Verdict
    problems: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.verdict.faults or self.problems)

    def line(self) -> str:
        replies = self.journal.replies
        told = " ".join(f"{name}:{replies[name]}" for name in sorted(replies))
        outcome = f"FAILED {self.verdict.faults} {self.problems}" if self.failed else "ok"
        return (
            f"round {self.number:3d}  {self.blow:8s} after {self.moment:.2f} s  acknowledged {self.journal.acked:6d}  "
            f"stored {self.verdict.stored:6d}  claims {self.journal.claims}  "
            f"slowest {self.journal.slowest:.2f} s  {outcome}  [{told}]"
        )


class Harness:
    """A server, its devices, and as many rounds as are asked for."""

    def __init__(
        self,
        server: LiveServer,
        postgres: PrivatePostgres | None,
        chance: random.Random,
        load_seconds: tuple[float, float],
    ) -> None:
        self.server = server
        self._load_seconds = load_seconds
        self._postgres = postgres
        self._chance = chance
        self._staff = Staff(server.url)
        self._devices = self._staff.enrol(PROCESSES * DEVICES_EACH, encrypted=ENCRYPTED)
        (self._trigger,) = self._staff.enrol(1)
        self._database = Database(server.database_url)
        self._last_row = 0
        self.expected_rows = 0

    def round(self, number: int) -> Round:
        """Load, blow, recovery, comparison."""
        blow = "at ack" if number % 2 else "kill"
        if self._postgres is not None and number % 3 == 0:
            blow = "postgres"
        moment = self._chance.uniform(*self._load_seconds)
        tokens = [self._staff.provision(self._staff.new_device("newcomer")) for _ in range(PROCESSES)]
        with ExitStack() as stack:
            clients = [
                stack.enter_context(_client(self._plan(index, tokens[index], number))) for index in range(PROCESSES)
            ]
            for client in clients:
                client.wait_for_load()
            time.sleep(moment)
            problems, told = [], Journal()
            if blow == "postgres":
                problems = self._stop_postgres()
            elif blow == "at ack":
                told = self._kill_at_acknowledgement(number * NUMBERS_EACH)
            else:
                self.server.kill()
                self.server.start()
            # Some load on the recovered server, too: what was repeated meets what is new.
            time.sleep(0.2)
            for client in clients:
                client.announce_end()
            journal = Journal.of_all([told, *(client.journal() for client in clients)])
        rows = list(self._database.rows(self._last_row))
        verdict = compare(journal, rows, self._database.latest())
        self._last_row = rows[-1].id if rows else self._last_row
        self.expected_rows += len(rows)
        problems += journal.problems
        if journal.slowest > WITHIN_SECONDS:
            problems.append(f"a reply took {journal.slowest:.1f} s")
        if not self._database.is_sound():
            problems.append("SQLite finds its file damaged")
        return Round(number, blow, moment, journal, verdict, problems)

    def lost_since(self) -> int:
        """Rows of all rounds that are not there any more."""
        return self.expected_rows - self._database.count()

    def _plan(self, index: int, token: str, number: int) -> dict[str, Any]:
        devices = self._devices[index::PROCESSES]
        return {
            "url": self.server.url,
            "devices": [device.as_json() for device in devices],
            "tokens": [token],
            "first": number * NUMBERS_EACH,
            "seed": self._chance.random(),
        }

    def _kill_at_acknowledgement(self, number: int) -> Journal:
        """One more device sends a reading, and the blow falls as soon as it has read that it is stored."""
        journal = Journal()
        request = Endpoint.parse(self.server.url).post(
            INGEST, json.dumps(reading(number)).encode(), bearer=self._trigger.api_key
        )
        with connect(self.server) as device:

            def send_and_read() -> None:
                device.sendall(request)
                stored = device.recv(4096).startswith(b"HTTP/1.1 201 ")
                journal.entries.append(
                    Entry(self._trigger.pk, number, 1, marked=False, unsure=0 if stored else 1, acked=stored)
                )

            self.server.kill(send_and_read)
        self.server.start()
        return journal

    def _stop_postgres(self) -> list[str]:
        """Stops the database under the server; what was not as contracted while it was away."""
        assert self._postgres is not None
        until = time.monotonic() + self._chance.uniform(*AWAY_SECONDS)
        problems = []
        self._postgres.stop_now()
        try:
            while True:
                problems += self._ask_without_database(self._devices[0], Device(0, "unknown-to-all", None))
                if time.monotonic() > until:
                    break
        finally:
            self._postgres.start()
        return problems

    def _ask_without_database(self, *devices: Device) -> list[str]:
        """A write of each device, one of them a stranger: 503 with Retry-After, in time."""
        problems = []
        for device in devices:
            began = time.monotonic()
            # A batch of nothing: a write like any other, and no reading that would have to be counted.
            answer = self._staff.send(device, [])
            if answer.status != 503 or not answer.headers.get("retry-after", "").isdigit():
                problems.append(f"{answer.status} while PostgreSQL was away: {answer.headers} {answer.body[:200]!r}")
            if time.monotonic() - began > WITHIN_SECONDS:
                problems.append(f"{time.monotonic() - began:.1f} s for an answer while PostgreSQL was away")
        return problems


class _Client:
    """A process of tests.support.meters."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process = process
        self._errors = errors

    def wait_for_load(self) -> None:
        line = self._out.readline()
        if line != "loading\n":
            raise RuntimeError(f"a client did not start: {line!r}\n{self._said()}")

    def announce_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("end\n")
        self._process.stdin.flush()

    def journal(self) -> Journal:
        text, _ = self._process.communicate(timeout=PATIENCE + 30)
        if self._process.returncode:
            raise RuntimeError(f"a client ended with {self._process.returncode}:\n{self._said()}")
        return Journal.from_json(text)

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-4000:]


@contextmanager
def _client(plan: dict[str, Any]) -> Iterator[_Client]:
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.meters"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            yield _Client(process, errors)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@contextmanager
def harness(
    *, postgres: bool = False, seed: int = 0, load_seconds: tuple[float, float] = LOAD_SECONDS
) -> Iterator[Harness]:
    """A fresh server on SQLite, or on a PostgreSQL of its own, with its devices."""
    with ExitStack() as stack:
        database = stack.enter_context(migrated_postgres()) if postgres else None
        server = stack.enter_context(live_server(None if database is None else str(database), by_serve=True))
        try:
            yield Harness(server, database, random.Random(seed), load_seconds)
        except BaseException:
            print(f"— the end of the server's log —\n{server.log_tail()}", file=sys.stderr)
            raise


def main() -> int:
    """0 when every round held."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.crash", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--postgres", action="store_true", help="on a private PostgreSQL instead of SQLite")
    parser.add_argument("--seed", type=int, default=None, help="of the moments and the load; printed when not given")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.rounds} rounds on {'PostgreSQL' if options.postgres else 'SQLite'}, --seed {seed}", flush=True)
    total, kills = Verdict(), {"kill": Verdict(), "at ack": Verdict(), "postgres": Verdict()}
    failed, claims, slowest = 0, 0, 0.0
    began = time.monotonic()
    with harness(postgres=options.postgres, seed=seed) as rounds:
        for number in range(1, options.rounds + 1):
            outcome = rounds.round(number)
            print(outcome.line(), flush=True)
            for example in outcome.verdict.examples:
                print(f"           {example}", flush=True)
            total.add(outcome.verdict)
            kills[outcome.blow].add(outcome.verdict)
            failed += outcome.failed
            claims += outcome.journal.claims
            slowest = max(slowest, outcome.journal.slowest)
        lost = rounds.lost_since()
    columns = {name: verdict for name, verdict in kills.items() if verdict.stored} | {"all": total}
    print(f"\n{options.rounds} rounds in {time.monotonic() - began:.0f} s, {failed} failed; {claims} devices claimed")
    print(f"slowest reply {slowest:.2f} s; rows of earlier rounds that are gone at the end: {lost}")
    for name, *values in report_of(columns):
        print(f"  {name:22s}" + "".join(f"{value:>12s}" for value in values))
    print("FAILED" if failed or lost else "every acknowledged reading is there, and none with an id is there twice")
    return 1 if failed or lost else 0


if __name__ == "__main__":
    sys.exit(main())
