"""IOT_SYSTEM_ALLOWED_IPS: addresses, networks, and host names that a thread of their own keeps resolved.

No request waits for a resolver. A name whose resolution fails keeps its last answer; a name that has no answer yet
allows nobody.
"""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ozone.wire import address
from ozone.wire.conf import options
from ozone.wire.errors import Unavailable
from stations.errors import IpNotAllowed
from stations.partner.switch import stations_enabled

logger = logging.getLogger("stations")

RESOLVE_SECONDS: Final = 60.0

_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)([\w-]{1,63}\.)*(?![0-9]+\.?$)[\w-]{1,63}\.?")
"""Its last label is not a number, else it is an address that is wrong."""

Address = IPv4Address | IPv6Address


def _look_up(name: str) -> frozenset[Address]:
    """The addresses of a host name. Raises OSError."""
    found = (address.parse(str(entry[4][0])) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    return frozenset(one for one in found if one is not None)


class HostNames:
    """Names and their last known addresses, looked up again every minute by a thread that starts when it is needed."""

    def __init__(self, look_up: Callable[[str], frozenset[Address]] = _look_up) -> None:
        self._look_up = look_up
        self._answers: dict[str, frozenset[Address]] = {}
        """An empty answer: asked, and never answered."""
        self._wanted: frozenset[str] = frozenset()
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, names: frozenset[str]) -> None:
        """From now on these names are kept resolved. Returns at once."""
        with self._lock:
            if names != self._wanted:
                self._wanted = names
                self._changed.set()
            # After a fork the child remembers its parent's thread, which does not run here.
            if names and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="stations-resolver", daemon=True)
                self._thread.start()

    def holds(self, names: frozenset[str], one: Address) -> bool:
        return any(one in self._answers.get(name, ()) for name in names)

    def is_waiting(self, names: frozenset[str]) -> bool:
        """Whether one of the names has not been asked for yet, as in the first moments of a process."""
        return any(name not in self._answers for name in names)

    def resolve(self) -> None:
        """One round over all names."""
        for name in sorted(self._wanted):
            try:
                self._answers[name] = self._look_up(name)
            except (OSError, UnicodeError) as error:
                known = self._answers.setdefault(name, frozenset())
                logger.warning(
                    "IOT_SYSTEM_ALLOWED_IPS: %s cannot be resolved (%s); %s",
                    name,
                    error,
                    "its last addresses stay allowed" if known else "it allows nobody yet",
                )

    def _run(self) -> None:
        while self._wanted:
            self._changed.clear()
            started = time.monotonic()
            self.resolve()
            self._changed.wait(max(1.0, RESOLVE_SECONDS - (time.monotonic() - started)))


host_names: Final = HostNames()


def _names() -> frozenset[str]:
    """The entries of the list that are neither an address nor a network."""
    return frozenset(text.strip() for text in options().IOT_SYSTEM_ALLOWED_IPS if _is_name(text))


def _is_name(text: str) -> bool:
    try:
        address.network(text)
    except ValueError:
        return bool(text.strip())
    return False


def entries_of_no_use() -> list[str]:
    """The names that no resolver can know: a port or a scheme beside a name, an address or network with a slip."""
    return sorted(name for name in _names() if not _HOST_NAME.fullmatch(name))


def watch_host_names() -> None:
    """Starts resolving before the first request needs it. Does nothing where stations are off."""
    if stations_enabled():
        host_names.watch(_names())


def check_address(client: str) -> None:
    """Step 1. `client`: the caller's address, behind trusted proxies too. An empty list allows any.

    Raises IpNotAllowed; Unavailable while a name of the list is being asked for the first time.
    """
    entries = [text for text in options().IOT_SYSTEM_ALLOWED_IPS if text.strip()]
    if not entries:
        return
    names = _names()
    host_names.watch(names)
    one = address.parse(client)
    if one is not None:
        networks = [address.network(text) for text in entries if text.strip() not in names]
        if any(one in network for network in networks) or host_names.holds(names, one):
            return
        # The connector takes a 403 for final and drops the message; a 503 it sends again.
        if host_names.is_waiting(names):
            raise Unavailable("The host names of IOT_SYSTEM_ALLOWED_IPS are being resolved. Send it again.")
    raise IpNotAllowed(f"The address {client or '(none)'} is not in IOT_SYSTEM_ALLOWED_IPS.")
