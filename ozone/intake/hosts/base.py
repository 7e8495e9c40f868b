"""A connection to whichever of several hosts takes writes, without a wait for one that says nothing.

psycopg tries one host after the other and gives each two seconds at least. One that is frozen takes them all, each
time, so that a node would go on that much later than its database. So each is asked first whether it speaks TLS,
which any PostgreSQL that runs answers with one byte.
"""

import socket
from typing import Any, Final

from django.db.backends.postgresql import base

ANSWER_SECONDS: Final = 0.5
_TLS_REQUEST: Final = bytes.fromhex("00000008 04d2162f")
"""What a client begins with that would like TLS: the length, then 80877103."""
_PORT: Final = "5432"


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        return super().get_new_connection(those_that_answer(conn_params))


def those_that_answer(parameters: dict[str, Any]) -> dict[str, Any]:
    """psycopg's parameters with the hosts and ports of those that answer in ANSWER_SECONDS each; where none does, or
    one is a name of a folder or comes with its `hostaddr`, as they are."""
    hosts = str(parameters.get("host", "")).split(",")
    ports = str(parameters.get("port") or _PORT).split(",")
    if len(hosts) == 1 or "hostaddr" in parameters or any(host.startswith("/") for host in hosts):
        return parameters
    if len(ports) == 1:
        ports *= len(hosts)
    found = [pair for pair in zip(hosts, ports, strict=True) if _answers(*pair)]
    if not found:
        return parameters
    return parameters | {"host": ",".join(host for host, _ in found), "port": ",".join(port for _, port in found)}


def _answers(host: str, port: str) -> bool:
    try:
        with socket.create_connection((host or "localhost", int(port or _PORT)), ANSWER_SECONDS) as asked:
            asked.sendall(_TLS_REQUEST)
            return bool(asked.recv(1))
    except OSError:
        return False
