#!/usr/bin/env python3
"""A planned change of primary: what `patronictl switchover` does, in two seconds instead of up to four.

    python3 switchover.py 10.0.0.11        # any of the database hosts; to the synchronous standby

Nothing is acknowledged until the promoted host has a standby. Left alone, each Patroni looks once a second: the
candidate finds the free lock late, and a third host that looks while it is free sleeps for two seconds. So the hosts
are woken at the right moments, by a PATCH of the configuration that changes nothing. Where this script ends early
Patroni goes on at its own pace. Needs Python alone, and the port 8008 of all hosts.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

STOPPING = 0.4
"""Seconds after which those who only watch are woken: Patroni looks a second after it told PostgreSQL to stop, and they
must look well before that, and next after the lock is taken."""
PATIENCE = 60.0


def ask(url: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
    """Status and JSON, of errors too; (0, None) where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=PATIENCE) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    except OSError:
        return 0, None
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode(errors="replace")


def main() -> int:
    """0 when another host is primary."""
    base = f"http://{sys.argv[1]}:8008"
    members = ask(f"{base}/cluster")[1]["members"]
    apis = {member["name"]: member["api_url"].removesuffix("/patroni") for member in members}
    roles = {member["role"]: member["name"] for member in members}
    if not {"leader", "sync_standby"} <= roles.keys():
        print(f"there must be a leader and a synchronous standby: {roles}", file=sys.stderr)
        return 1
    leader, candidate = roles["leader"], roles["sync_standby"]
    unchanged = {"ttl": ask(f"{base}/config")[1]["ttl"]}
    outcome: list[tuple[int, Any]] = []

    def switch() -> None:
        outcome.append(ask(f"{apis[leader]}/switchover", {"leader": leader, "candidate": candidate}))

    def wake(*names: str) -> None:
        for name in names:
            ask(f"{apis[name]}/config", unchanged, "PATCH")

    others = apis.keys() - {leader, candidate}
    asking = threading.Thread(target=switch)
    asking.start()
    while not outcome and (ask(f"{apis[leader]}/patroni")[1] or {}).get("state") == "running":
        time.sleep(0.02)
    time.sleep(STOPPING)
    wake(*others)
    while not outcome and ask(f"{apis[candidate]}/primary")[0] != 200:
        wake(candidate)
        time.sleep(0.05)
    wake(*others)
    asking.join()
    status, said = outcome[0]
    print(said)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
