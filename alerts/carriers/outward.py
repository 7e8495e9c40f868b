"""Connections to hosts that people name: only to public addresses, or to those of WEBHOOK_ALLOWED_NETWORKS.

A name is resolved once, and the connection goes to an address that was looked at then: what the name means a moment
later changes nothing. However it is written (`0x7f.1`, `2130706433`, a name that leads home), a host is judged by the
address that it comes to.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Timer
from time import monotonic
from typing import Final

from ozone.wire.address import network
from ozone.wire.conf import options

Address = IPv4Address | IPv6Address

_CARRIERS: Final = [ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")]
"""IPv6 networks whose addresses carry one of IPv4, which a gateway would go to."""


class NotAllowed(Exception):
    """The address is none that this server connects to for others. The message is a sentence for people."""


class Late(Exception):
    """The time for the whole exchange is over."""


def may_reach(address: Address) -> bool:
    """Whether it is public, or of WEBHOOK_ALLOWED_NETWORKS."""
    address = getattr(address, "ipv4_mapped", None) or address
    if any(address in network(text) for text in options().WEBHOOK_ALLOWED_NETWORKS):
        return True
    if any(address in carrier for carrier in _CARRIERS):
        return False
    is_odd = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return address.is_global and not is_odd


def literal(host: str) -> Address | None:
    """The address that a host is, in any digits that a resolver takes (`127.1`, `0177.0.0.1`); None: a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def check_literal(host: str) -> None:
    """Raises NotAllowed where the host is an address that is not to be reached; of a name nothing is known yet."""
    address = literal(host)
    if address is not None and not may_reach(address):
        raise NotAllowed(_sentence(host))


def _sentence(host: str) -> str:
    return f"{host} is no public address, nor in WEBHOOK_ALLOWED_NETWORKS."


def connect(host: str, port: int, until: float) -> socket.socket:
    """A connection to the host, at the first of its allowed addresses that answers before `until` (monotonic).

    Raises NotAllowed, Late, or OSError where nobody answers.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if may_reach(ip_address(str(entry[4][0]).partition("%")[0]))]
    if not allowed:
        raise NotAllowed(_sentence(host))
    failure: OSError | None = None
    for family, kind, protocol, _, address in allowed:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left(until))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            failure = error
        except Late:
            connection.close()
            raise
    assert failure is not None
    raise failure


def left(until: float) -> float:
    """Seconds. Raises Late where there are none."""
    seconds = until - monotonic()
    if seconds <= 0:
        raise Late
    return seconds


@contextmanager
def ended_at(until: float, connection: socket.socket) -> Iterator[None]:
    """Shuts the connection at that moment, however slowly the other side says one byte after the other."""

    def shut() -> None:
        with suppress(OSError):  # closed already
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = Timer(left(until), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
