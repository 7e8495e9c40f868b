"""How the server process is started: granian's options, each different from its default for a reason."""

from typing import Final

TARGET: Final = "ozontelemetry.asgi:application"


def granian_arguments(
    target: str = TARGET, *, host: str = "127.0.0.1", port: int = 8000, workers: int = 1
) -> list[str]:
    """The command line of granian, for one address and a number of processes."""
    return [
        "--interface", "asgi",
        "--host", host,
        "--port", str(port),
        "--workers", str(workers),
        "--loop", "uvloop",
        # One thread for sockets beside the one for Python: on small machines two would only take turns.
        "--runtime-mode", "st",
        "--http", "1",
        "--no-ws",
        "--backlog", "4096",
        # Past this many requests at once it falls silent; a fleet that waits in polls is more than its default.
        "--backpressure", "20000",
        # Its default closes an idle connection after 30 s, which is the firmware's poll period.
        "--http1-header-read-timeout", "60000",
        "--ssl-protocol-min", "tls1.2",
        # The longest write is answered by then (WRITE_REPLY_SECONDS), and the end comes in under 6 s.
        "--workers-kill-timeout", "5",
        "--respawn-failed-workers",
        "--no-access-log",
        "--log-level", "warning",
        target,
    ]  # fmt: skip
