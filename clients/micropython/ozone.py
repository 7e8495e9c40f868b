# Ozone Telemetry for MicroPython: what press() and reading() return an id for is on flash, and leaves the flash only
# when the server has said that it is stored. Behaviour and words are those of clients/core.
import gc

import micropython

# A chip compiles these files: one after the other, the longest first, and without the numbers of their lines.
_level = micropython.opt_level()
micropython.opt_level(3)
from ozone_store import Full

gc.collect()
from ozone_exchange import Exchange

gc.collect()
from ozone_replies import BLOCKED, ENROLLING, OFFLINE, ONLINE, WAITING_FOR_OPERATOR, Replies

gc.collect()
from ozone_requests import Requests

gc.collect()
from ozone_taken import Taken

gc.collect()
from ozone_commands import Commands

gc.collect()
from ozone_queue import Queue

gc.collect()
from ozone_device import Device

micropython.opt_level(_level)

__all__ = ("BLOCKED", "ENROLLING", "OFFLINE", "ONLINE", "WAITING_FOR_OPERATOR", "Full", "Ozone")


class Ozone(Device, Requests, Exchange, Replies, Taken, Commands, Queue):
    """One device.

    url: "https://host" or "http://host:port". folder: on flash, made when it is not there. mac: a machine's;
    claim_token: a meter's. ca: the CA's certificate in PEM or DER; only with False does TLS speak with anybody.
    utc: a function that gives UTC seconds, 0 while unknown. handlers: {command type: function(payload) -> a bool, or
    (bool, message)}. restart: what REBOOT_DEVICE calls. A reply past 8 KB does not fit.
    """
