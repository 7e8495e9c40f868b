"""A cluster on one machine: each host a network namespace with the files of `deploy/ha/`, in other places.

db1, db2 and db3 (10.0.0.11 to 13) have etcd, Patroni and PostgreSQL; app1 and app2 (10.0.0.21, 22) a server of ours,
the first behind haproxy, the second with all three hosts in its URL. nginx and whoever makes the load are at 10.0.0.1,
where the cables end. `python -m tests.ha` (`__main__`) runs all this in namespaces of its own, which end with it.
"""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from bench.postgres import find_binaries
from tests.support import needs, proxy
from tests.support.server import DATA_KEY, PASSWORD, ROOT, LiveServer

DEPLOY: Final = ROOT / "deploy" / "ha"
EDGE: Final = "10.0.0.1"
DATABASES: Final = {"db1": "10.0.0.11", "db2": "10.0.0.12", "db3": "10.0.0.13"}
NODES: Final = {"app1": "10.0.0.21", "app2": "10.0.0.22"}
_HOSTS: Final = ",".join(f"{address}:5432" for address in DATABASES.values())
DIRECT: Final = f"postgres://ozone:change-ozone@{_HOSTS}/ozone?target_session_attrs=read-write"
BEHIND_HAPROXY: Final = "postgres://ozone:change-ozone@127.0.0.1:5000/ozone"
SECONDS: Final = 60.0
SYNCHRONOUS: Final = ("sync", "quorum")
"""Within which a host or the cluster is up."""


class LabError(RuntimeError):
    """The cluster did not do what it was told; the message says where to look."""


def until(what: str, is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Waits for it; LabError where it does not come."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise LabError(f"after {seconds:g} s not: {what}")
        time.sleep(0.1)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Host:
    """A network namespace with a cable, and what runs in it."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name, self.address, self.folder = name, address, folder
        folder.mkdir()
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", name, "master", "lab", "up")
        self.inside("ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        self.inside("ip", "link", "set", "lo", "up")

    def inside(self, *command: str) -> None:
        run("ip", "netns", "exec", self.name, *command)

    def launch(self, what: str, *command: str, user: str | None = None, **environment: str) -> None:
        """In this host, with its output in `<what>.log`."""
        become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
        with (self.folder / f"{what}.log").open("ab") as log:
            subprocess.Popen(
                ["ip", "netns", "exec", self.name, *become, *command],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self, name: str = "") -> list[int]:
        """Ids of all that runs here, or of the programs of that name."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True).stdout
        return [pid for pid in map(int, listed.split()) if name in _program(pid)]

    def signal(self, how: signal.Signals, name: str = "") -> None:
        for pid in self.processes(name):
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def cut_power(self) -> None:
        """SIGKILL to all of it; returns when it is gone."""
        self.signal(signal.SIGKILL)
        until(f"{self.name} has ended", lambda: not self.processes())

    def cable(self, state: str) -> None:
        """`down`: nothing passes any more, and nobody is told; `up`."""
        run("ip", "link", "set", self.name, state)


class DatabaseHost(Host):
    """etcd, Patroni, PostgreSQL."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        super().__init__(name, address, folder)
        os.chown(folder, *_postgres())
        for file in ("patroni.yml", "etcd"):
            text = (DEPLOY / file).read_text(encoding="utf-8").replace("/var/lib/etcd", f"{folder}")
            text = text.replace("/var/lib/postgresql", f"{folder}").replace("/var/run/postgresql", f"{folder}")
            text = text.replace("/usr/lib/postgresql/15/bin", str(find_binaries()))
            members = text.replace("db1=", "MEMBER=").replace("hosts: 10.0.0.11", "hosts: FIRST")
            members = members.replace("MEMBER=http://10.0.0.11", "MEMBER=http://FIRST")
            own = members.replace("db1", name).replace("10.0.0.11", address)
            (folder / file).write_text(own.replace("MEMBER=", "db1=").replace("FIRST", "10.0.0.11"))
            os.chown(folder / file, *_postgres())
            (folder / file).chmod(0o600)

    def start(self) -> None:
        lines = (self.folder / "etcd").read_text().splitlines()
        settings = dict(line.split("=", 1) for line in lines if line.startswith("ETCD_"))
        self.launch("etcd", "etcd", user="postgres", **settings)
        self.launch("patroni", "patroni", "patroni.yml", user="postgres", HOME=str(self.folder))

    def status(self) -> dict[str, Any]:
        """What Patroni says of its PostgreSQL; nothing where it does not answer."""
        return _ask(f"http://{self.address}:8008/patroni")


class Node(LiveServer):
    """One of our servers, in a host of its own."""

    def __init__(self, host: Host, url: str, folder: Path) -> None:
        settings = {
            "HA": "1",
            "WORKERS": "1",
            "HOST": host.address,
            "PORT": "8000",
            "TRUSTED_PROXIES": EDGE,
            "DEVICE_DATA_KEY": DATA_KEY,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "DJANGO_DEBUG": "0",
            "DJANGO_SECRET_KEY": "of both nodes of the laboratory, and of nobody else",
            "DJANGO_ALLOWED_HOSTS": "*",
            "ALLOW_PLAIN_HTTP": "1",
            "STATIONS_ENABLED": "0",
        }
        folder.mkdir()
        super().__init__(folder, url, settings, prefix=("ip", "netns", "exec", host.name))
        self.host, self.port = host.address, 8000


class Lab:
    """All of it, running. Ends with the process, whose namespaces these are."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "lab", "type", "bridge")
        run("ip", "addr", "add", f"{EDGE}/24", "dev", "lab")
        run("ip", "link", "set", "lab", "up")
        self.databases = {name: DatabaseHost(name, at, folder / name) for name, at in DATABASES.items()}
        for host in self.databases.values():
            host.start()
        self.hosts = {name: Host(name, at, folder / name) for name, at in NODES.items()}
        until("a primary with its roles", self._made_database)
        self.hosts["app1"].launch("haproxy", "haproxy", "-db", "-f", str(DEPLOY / "haproxy.cfg"))
        urls = (BEHIND_HAPROXY, DIRECT)
        self.nodes = [
            Node(host, url, folder / f"{host.name}-server") for host, url in zip(self.hosts.values(), urls, strict=True)
        ]
        for node in self.nodes:
            node.launch()
        until("both nodes are ready", lambda: all(node.is_ready() for node in self.nodes), 2 * SECONDS)
        until("both standbys follow", self.is_whole)
        site = proxy.of_cluster(folder, (DEPLOY / "upstream.conf").read_text(encoding="utf-8"), EDGE)
        subprocess.Popen(
            [needs.nginx() or "nginx", "-e", "stderr", "-p", str(folder), "-c", str(site)], start_new_session=True
        )

    def _made_database(self) -> bool:
        """Patroni makes the role, and not the database."""
        try:
            with psycopg.connect(DIRECT, dbname="postgres", autocommit=True, connect_timeout=5) as connection:
                connection.execute("CREATE DATABASE ozone")
        except psycopg.OperationalError:
            return False
        return True

    def primary(self) -> str | None:
        """Its name, as its own Patroni says."""
        for name, host in self.databases.items():
            if _is_primary(host.status()):
                return name
        return None

    def synchronous(self) -> str | None:
        """The name of the standby that may take over."""
        primary = self.primary()
        for standby in self.databases[primary].status().get("replication", ()) if primary else ():
            if standby["sync_state"] in SYNCHRONOUS:
                return str(standby["application_name"])
        return None

    def is_whole(self) -> bool:
        return is_whole([host.status() for host in self.databases.values()])

    def switch_over(self) -> None:
        """To the synchronous standby, in order."""
        run(sys.executable, str(DEPLOY / "switchover.py"), DATABASES[self.primary() or ""])

    def deadlocks(self) -> int:
        with psycopg.connect(DIRECT, connect_timeout=5) as connection:
            row = connection.execute("SELECT sum(deadlocks)::int FROM pg_stat_database").fetchone()
            return int(row[0]) if row else -1


def is_whole(told: Sequence[Mapping[str, Any]]) -> bool:
    """Whether of three hosts, by what their Patronis say, one is primary, and both others follow it and could take
    over. One that still recovers could not. Nor could one that stood still, and says for some seconds more that it is
    primary itself, followed by both."""
    primaries = [one for one in told if _is_primary(one)]
    following = primaries[0].get("replication", ()) if len(primaries) == 1 else ()
    return (
        len([one for one in following if one["state"] == "streaming"]) == 2
        and any(one["sync_state"] in SYNCHRONOUS for one in following)
        and all(one.get("state") == "running" for one in told)
    )


def _is_primary(status: Mapping[str, Any]) -> bool:
    return status.get("role") in ("master", "primary") and status.get("state") == "running"


def _ask(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return dict(json.load(reply))
    except urllib.error.HTTPError as error:
        with error, suppress(ValueError):
            return dict(json.load(error))
    except (OSError, ValueError):
        pass
    return {}


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _postgres() -> tuple[int, int]:
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid
