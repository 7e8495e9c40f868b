"""Free TCP ports on the loopback address, below the range the kernel hands out to clients."""

import random
import socket

LOWEST, HIGHEST = 20_000, 32_700


def free_port() -> int:
    """A port nobody listens on now.

    Random, so that runs beside each other rarely pick the same one; below 32768, so that no outgoing
    connection of a load generator can take it between this call and the server's bind.
    """
    for port in random.sample(range(LOWEST, HIGHEST), 200):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {LOWEST} and {HIGHEST}")
