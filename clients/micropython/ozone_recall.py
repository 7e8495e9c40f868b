# What its flash knows when it starts: used once, and forgotten.
import binascii
import os
import time

from ozone_replies import BATCH, OFFLINE
from ozone_store import Store


def recall(device, folder):
    device._store = store = Store(folder)
    device._me = store.get("me") or {"random": binascii.hexlify(os.urandom(4)).decode(), "boot": 0}
    device._acked = tuple(store.get("acked") or (0, 0))
    device._written = device._acked
    device._anchors = store.get("anchors") or {}
    device._recall()
    device.queued, device._last = store.count(device._acked)
    device._me["boot"] = max(device._me["boot"], device._last[0])
    device._booted = device._anchored = device._undated = device._bad = device._restarting = False
    device.dropped = device.refused = 0
    device.state, device.why = OFFLINE, "not connected yet"
    device.vitals = {}  # rssi, free_heap: told with polls and presses
    device._due, device._fails = {}, {}
    device._batch = BATCH
    device._clock = None  # (UTC seconds, ticks) by a reply's Date
    device._moved = device._ticked = time.ticks_ms()
    device._tenths = device._rest = 0
    device._sock = device._raw = None
    device._exchange = None
