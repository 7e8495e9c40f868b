"""`python -m bench.attack HOST PORT FILE`: one caller who means harm, over some connections at once.

FILE: JSON of `requests` (base64 of whole requests), `connections`, `seconds`, `reads` (false: replies are not read) and
`once`. Each connection sends, waits for the reply, sends the next. Prints how many replies of each status there were,
and the longest wait, and the slowest requests by their places, as a line of JSON.
"""

import base64
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE = 60.0
CONNECTIONS = 8


def write(
    path: Path,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = 8,
    reads: bool = True,
    once: bool = False,
) -> None:
    """The file; `once`: each request is sent once, though the time is not up."""
    encoded = [base64.b64encode(request).decode() for request in requests]
    rest = {"connections": connections, "seconds": seconds, "reads": reads, "once": once}
    path.write_text(json.dumps({"requests": encoded, **rest}))


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole request; a header's underscores are hyphens."""
    named = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        named["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


def reply(connection: socket.socket) -> int:
    """The status of one whole reply; 0 where the server has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return 0
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    status, lower = int(head[9:12]), head.lower()
    if b"content-length:" in lower:
        left = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0]) - len(rest)
        while left > 0 and (chunk := connection.recv(min(left, 1 << 20))):
            left -= len(chunk)
    elif b"chunked" in lower:
        tail = rest
        while not tail.endswith(b"0\r\n\r\n") and (chunk := connection.recv(1 << 20)):
            tail = (tail + chunk)[-16:]
    return 0 if b"connection: close" in lower else status


class Caller:
    def __init__(self, host: str, port: int, told: dict[str, Any]) -> None:
        self._address = host, port
        self._requests = [base64.b64decode(each) for each in told["requests"]]
        self._told = told
        self._share = -(-len(self._requests) // told["connections"])
        self._until = time.monotonic() + told["seconds"]
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0
        self.took: dict[int, float] = {}
        """By the place of a request in the list, the longest it took."""

    def run(self) -> None:
        threads = [threading.Thread(target=self._send, args=(n,)) for n in range(self._told["connections"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, number: int) -> None:
        connection = None
        place = sent = 0
        while time.monotonic() < self._until and not (self._told["once"] and sent >= self._share):
            # Each connection begins elsewhere, so that together they soon have been everywhere.
            place = (number * len(self._requests) // self._told["connections"] + sent) % len(self._requests)
            sent += 1
            began = time.monotonic()
            try:
                connection = connection or self._connect()
                connection.sendall(self._requests[place])
                if not self._told["reads"]:
                    time.sleep(max(0.0, self._until - time.monotonic()))
                    return
                status = reply(connection)
            except OSError:
                status = 0
            self.statuses[status] += 1
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            self.took[place] = max(took, self.took.get(place, 0.0))
            if status == 0 and connection is not None:
                connection.close()
                connection = None

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        if not self._told["reads"]:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(self._address)
        return connection


def main() -> None:
    host, port, path = sys.argv[1:]
    caller = Caller(host, int(port), json.loads(Path(path).read_text()))
    caller.run()
    slowest = sorted(caller.took, key=lambda place: -caller.took[place])[:10]
    told = {"statuses": dict(caller.statuses), "longest_s": round(caller.longest, 3), "sent": len(caller.took)}
    print(json.dumps({**told, "slowest": {place: round(caller.took[place], 3) for place in slowest}}))


if __name__ == "__main__":
    main()
