"""Who is calling: the client's address behind proxies we trust, and how addresses are counted in limits."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from ozone.wire.conf import options

_LONGEST: Final = 100
"""Characters: an IPv6 address in brackets with zone and port. What is longer is not remembered."""


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address without brackets, port or zone; IPv4-mapped ones as IPv4. None: not an address."""
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=64)
def network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text.strip(), strict=False)


def is_trusted(address: IPv4Address | IPv6Address | None) -> bool:
    """Whether forwarded headers from this peer are believed (TRUSTED_PROXIES)."""
    return address is not None and any(address in network(text) for text in options().TRUSTED_PROXIES)


def client_address(peer: str, forwarded_for: str | None) -> str:
    """The right-most hop that is not a proxy of ours, else the peer; "" where the peer has no address (a socket file).

    `forwarded_for` is the whole X-Forwarded-For, several headers joined by commas.
    """
    address = parse(peer)
    if forwarded_for and options().TRUSTED_PROXIES and is_trusted(address):
        for hop in reversed(forwarded_for.split(",")):
            # A hop that is no address ends the chain: what stands left of it was written by a stranger.
            candidate = parse(hop)
            if candidate is None:
                break
            address = candidate
            if not is_trusted(candidate):
                break
    return "" if address is None else str(address)


@lru_cache(maxsize=4096)
def limit_key(address: str) -> str:
    """How an address is counted: IPv4 as it is, IPv6 by its /64 (one subscriber has all of it)."""
    parsed = parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


@lru_cache(maxsize=4096)
def is_loopback(text: str) -> bool:
    parsed = parse(text)
    return parsed is not None and parsed.is_loopback
