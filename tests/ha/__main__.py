"""Acknowledged means stored, also where a host ends: a cluster of five hosts on this machine, and what happens to them.

    python -m tests.ha                            # make ha: each fault once, then the primary killed 50 times
    python -m tests.ha --fault crash --rounds 1   # what every run of the suite has

As root, with Debian's packages (`tests/support/needs.py`). Meters send through nginx and to either node, some of
their readings with an id, some without, while one thing happens to the database. Nothing that was acknowledged may be
missing, no device may be told anything else than 503 with Retry-After, and the longest time without an acknowledgement
is bounded.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Never

from tests.ha.lab import DIRECT, EDGE, Lab, LabError, run, until
from tests.support import needs
from tests.support.ledger import Verdict
from tests.support.meters import Journal
from tests.support.server import PASSWORD, ROOT
from tests.support.staff import Device, Staff
from tests.support.traffic import Traffic, check_stored, traffic

INSIDE: Final = "OZONE_HA_INSIDE"
METERS: Final = 4
"""At each of the three doors."""
PAUSE: Final = 0.1
GAP: Final = 25.0
"""Seconds without an acknowledgement at most."""
GAP_SWITCHOVER: Final = 3.0
FLEET_SECONDS: Final = 300
QUIET: Final = 2.0
"""Of traffic before and after."""
ALLOWED: Final = {201, 503}
KILLS: Final = ("power", "crash")
FAULTS: Final = (*KILLS, "frozen", "frozen-db", "cable", "standby", "switchover")


@dataclass(frozen=True)
class Door:
    """Where meters send to."""

    url: str
    database_url: str = DIRECT


class Acks:
    """When meters of one door were acknowledged."""

    def __init__(self, under_way: Traffic) -> None:
        self.last = time.monotonic()
        self.longest = 0.0
        self.ended_at = ""
        """When the longest pause ended, as the logs of the hosts have it."""
        self.count = 0
        self.told = under_way.journal
        under_way.shared.on_ack = self.note

    def note(self) -> None:
        now = time.monotonic()
        if now - self.last > self.longest:
            self.longest, self.ended_at = now - self.last, f"{datetime.now(UTC):%H:%M:%S.%f}"[:-5]
        self.last = now
        self.count += 1

    def go_on(self) -> None:
        """Returns when the next acknowledgement has come."""
        before = self.count
        until(f"another acknowledgement, {self.told.replies}", lambda: self.count > before, 2 * GAP)


@dataclass
class Outcome:
    """What one round showed."""

    fault: str
    gap: float = 0.0
    """The longest of any door, seconds."""
    gaps: list[str] = field(default_factory=list)
    """That of each door, and when it ended."""
    whole_after: float = 0.0
    """Until both standbys followed again."""
    replies: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)

    def line(self, number: int) -> str:
        told = " ".join(f"{name}:{count}" for name, count in sorted(self.replies.items()))
        outcome = f"FAILED {self.problems}" if self.problems else "ok"
        return (
            f"round {number:3d}  {self.fault:12s} gap {self.gap:5.1f} s  whole after {self.whole_after:5.1f} s  "
            f"acknowledged {self.verdict.acknowledged:5d}  missing {self.verdict.missing}  {outcome}  [{told}]  "
            f"({', '.join(self.gaps)})"
        )


class Faults:
    """What can happen; each returns how it is undone."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.by_name: dict[str, Callable[[], Callable[[], None]]] = {
            "power": self._power,
            "crash": self._crash,
            "frozen": self._frozen,
            "frozen-db": self._frozen_db,
            "cable": self._cable,
            "standby": self._standby,
            "switchover": self._switchover,
        }

    def _power(self) -> Callable[[], None]:
        """The primary's host loses its power: etcd, Patroni and PostgreSQL end in the same moment."""
        host = self._lab.databases[self._lab.primary() or ""]
        host.cut_power()
        return host.start

    def _crash(self) -> Callable[[], None]:
        """The primary's PostgreSQL is killed; its Patroni is not."""
        self._lab.databases[self._lab.primary() or ""].signal(signal.SIGKILL, "postgres")
        return lambda: None

    def _frozen(self) -> Callable[[], None]:
        """The primary's host stands still, as a virtual machine that is paused."""
        host = self._lab.databases[self._lab.primary() or ""]
        host.signal(signal.SIGSTOP)
        return lambda: host.signal(signal.SIGCONT)

    def _frozen_db(self) -> Callable[[], None]:
        """The primary's PostgreSQL stands still, as on a disk that hangs; its Patroni does not."""
        host = self._lab.databases[self._lab.primary() or ""]
        host.signal(signal.SIGSTOP, "postgres")
        return lambda: host.signal(signal.SIGCONT, "postgres")

    def _cable(self) -> Callable[[], None]:
        """Nothing reaches the primary's host any more."""
        host = self._lab.databases[self._lab.primary() or ""]
        host.cable("down")
        return lambda: host.cable("up")

    def _standby(self) -> Callable[[], None]:
        """The synchronous standby's host loses its power."""
        host = self._lab.databases[self._lab.synchronous() or ""]
        host.cut_power()
        return host.start

    def _switchover(self) -> Callable[[], None]:
        self._lab.switch_over()
        return lambda: None


class Rounds:
    """One lab, its meters, and as many rounds as are asked for."""

    def __init__(self, lab: Lab) -> None:
        self.played = 0
        self._lab = lab
        self._faults = Faults(lab)
        self._doors = [Door(f"http://{EDGE}"), *(Door(node.url) for node in lab.nodes)]
        self._meters: list[list[Device]] = [Staff(lab.nodes[0].url).enrol(METERS) for _ in self._doors]

    def play(self, faults: Iterable[str]) -> int:
        """One round each; how many failed."""
        failed = 0
        for fault in faults:
            outcome = self.round(fault)
            self.played += 1
            print(outcome.line(self.played), flush=True)
            failed += bool(outcome.problems)
        return failed

    def round(self, fault: str) -> Outcome:
        """Traffic, the fault, its end, the comparison."""
        outcome = Outcome(fault)
        with ExitStack() as stack:
            under_way = [
                stack.enter_context(traffic(door, meters, pause=PAUSE))
                for door, meters in zip(self._doors, self._meters, strict=True)
            ]
            acks = [Acks(one) for one in under_way]
            time.sleep(QUIET)
            undo = self._faults.by_name[fault]()
            try:
                # What was under way may still be acknowledged; then it is over, or has not been noticed.
                time.sleep(QUIET)
                for door in acks:
                    door.go_on()
            except LabError as error:
                outcome.problems.append(str(error))
            finally:
                began = time.monotonic()
                undo()
            try:
                until("both standbys follow", self._lab.is_whole)
                outcome.whole_after = time.monotonic() - began
                time.sleep(QUIET)
                for door in acks:
                    door.go_on()
            except LabError as error:
                outcome.problems.append(str(error))
        outcome.gap = max(door.longest for door in acks)
        outcome.gaps = [f"{door.longest:.1f} until {door.ended_at}" for door in acks]
        self._judge(outcome, [one.journal for one in under_way])
        return outcome

    def _judge(self, outcome: Outcome, journals: list[Journal]) -> None:
        for door, journal in zip(self._doors, journals, strict=True):
            try:
                outcome.verdict.add(check_stored(door, journal))
            except AssertionError as error:
                outcome.problems.append(str(error)[:500])
            outcome.replies += journal.replies
            outcome.problems += journal.problems
            outcome.problems += [f"a device was told {status}" for status in journal.statuses() - ALLOWED]
        most = GAP_SWITCHOVER if outcome.fault == "switchover" else GAP
        if outcome.gap > most:
            outcome.problems.append(f"no acknowledgement for {outcome.gap:.1f} s, more than {most:g}")
        if found := self._lab.deadlocks():
            outcome.problems.append(f"{found} deadlocks")


@contextmanager
def hostile_fleet(lab: Lab) -> Iterator[list[str]]:
    """Ozone machines on a bad network beside the block; what went wrong with them is in the list then."""
    command = [sys.executable, "manage.py", "simulate", "ozone", "--hostile", "--url", f"http://{EDGE}"]
    command += ["--devices", "20", "--presses-per-minute", "30", "--seconds", f"{FLEET_SECONDS}", "--time-scale", "10"]
    command += ["--command-timeout", "60", "--allow-remote"]
    environment = {**lab.nodes[0].environment, "SIMULATE_PASSWORD": PASSWORD}
    problems: list[str] = []
    with tempfile.TemporaryFile("w+") as said:
        simulator = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield problems
            if simulator.wait(2 * FLEET_SECONDS):
                said.seek(0)
                problems.append(f"the hostile fleet: {said.read()[-3000:]}")
        finally:
            if simulator.poll() is None:
                simulator.kill()


def main() -> int:
    """0 when every round held."""
    parser = argparse.ArgumentParser(prog="python -m tests.ha", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50, help="how often the primary is killed")
    parser.add_argument(
        "--fault", choices=FAULTS, action="append", help="what happens instead, and nothing else; several: in turn"
    )
    parser.add_argument("--folder", type=Path, help="an empty one for the hosts' files and logs, which stays")
    options = parser.parse_args()
    if INSIDE not in os.environ:
        _in_namespaces()
    _be_init()
    for folder in ("/run/netns", "/dev/shm"):  # the second is where a PostgreSQL that is killed leaves files
        run("mount", "-t", "tmpfs", "none", folder)
    began = time.monotonic()
    failed = 0
    with ExitStack() as stack:
        own = tempfile.TemporaryDirectory(prefix="ozone-ha-", ignore_cleanup_errors=True)
        lab = Lab(options.folder or Path(stack.enter_context(own)))
        rounds = Rounds(lab)
        print(f"the cluster is there after {time.monotonic() - began:.0f} s", flush=True)
        if not options.fault:
            with hostile_fleet(lab) as problems:
                failed += rounds.play(FAULTS)
            print("the hostile fleet:", *(problems or ["nothing lost, nothing twice"]), flush=True)
            failed += len(problems)
        failed += rounds.play(itertools.islice(itertools.cycle(options.fault or KILLS), options.rounds))
    print(f"{rounds.played} rounds in {time.monotonic() - began:.0f} s, {failed} failed")
    return 1 if failed else 0


def _in_namespaces() -> Never:
    """The same in a network, a mount and a process namespace of its own, which leave nothing behind."""
    if not needs.cluster():
        sys.exit("There can be no cluster here.")
    Path("/run/netns").mkdir(exist_ok=True)
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    os.environ[INSIDE] = "1"
    # In place of this process: whoever kills it ends all of it.
    os.execvp(command[0], [*command, sys.executable, "-m", "tests.ha", *sys.argv[1:]])


def _be_init() -> None:
    """Process 1 has to bury what others have left: a dead PostgreSQL that is not buried passes for a running one. It is
    this one, and goes on as its child."""
    child = os.fork()
    if not child:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    sys.exit(main())
