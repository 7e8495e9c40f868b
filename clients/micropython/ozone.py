# Ozone Telemetry for MicroPython: what press() and reading() return an id for is on flash, and leaves the flash only
# when the server has said that it is stored. Behaviour and words are those of clients/core.
import binascii
import json
import os
import struct
import time

import tls
from ozone_commands import Commands
from ozone_exchange import Exchange
from ozone_replies import BATCH, BLOCKED, ENROLLING, OFFLINE, ONLINE, WAITING_FOR_OPERATOR, Replies
from ozone_requests import Requests
from ozone_store import Full, Store

__all__ = ["BLOCKED", "ENROLLING", "OFFLINE", "ONLINE", "WAITING_FOR_OPERATOR", "Full", "Ozone"]


class Ozone(Requests, Exchange, Replies, Commands):
    """One device.

    url: "https://host" or "http://host:port". folder: on flash, made when it is not there. mac: a machine's;
    claim_token: a meter's. ca: the CA's certificate in PEM or DER; only with False does TLS speak with anybody.
    utc: a function that gives UTC seconds, 0 while unknown. handlers: {command type: function(payload) -> a bool, or
    (bool, message)}. restart: what REBOOT_DEVICE calls. A reply past 8 KB does not fit.
    """

    def __init__(
        self,
        url,
        folder,
        mac=None,
        claim_token=None,
        firmware="",
        ca=None,
        utc=None,
        poll_ms=30000,
        held_s=0,
        capacity=1000,
        drop_oldest=False,
        handlers=None,
        restart=None,
        reset_reason=None,
        timeout_ms=8000,
        hello_ms=30000,
    ):
        scheme, _, rest = url.partition("://")
        self._host, _, port = rest.rstrip("/").partition(":")
        self._port = int(port) if port else 443 if scheme == "https" else 80
        self._named = self._host if not port else self._host + ":" + port
        self._tls = self._context(ca) if scheme == "https" else None
        if (mac is None) == (claim_token is None):
            raise ValueError("a machine's mac, or a meter's claim_token")
        self._mac, self._claim, self._firmware = mac, claim_token, firmware
        self._utc, self._poll_ms, self._held = utc, poll_ms, min(held_s, 30)
        self._capacity, self._drop = capacity, drop_oldest
        self._handlers, self._restart = handlers or {}, restart
        self._reason, self._timeout, self._hello_ms = reset_reason, timeout_ms, hello_ms
        self._store = store = Store(folder)
        self._me = store.get("me") or {"random": binascii.hexlify(os.urandom(4)).decode(), "boot": 0}
        self._acked = tuple(store.get("acked") or (0, 0))
        self._written = self._acked
        self._anchors = store.get("anchors") or {}
        self._recall()
        self.queued, self._last = store.count(self._acked)
        self._me["boot"] = max(self._me["boot"], self._last[0])
        self._booted = self._anchored = self._undated = self._bad = self._restarting = False
        self.dropped = self.refused = 0
        self.state, self.why = OFFLINE, "not connected yet"
        self.vitals = {}  # rssi, free_heap: told with polls and presses
        self._due, self._fails = {}, {}
        self._batch = BATCH
        self._clock = None  # (UTC seconds, ticks) by a reply's Date
        self._began = self._ticked = time.ticks_ms()
        self._tenths = self._rest = 0
        self._moved = self._began
        self._sock = self._raw = None
        self._exchange = None

    @staticmethod
    def _context(ca):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        if ca is None:
            raise ValueError("https needs a ca; False speaks with anybody")
        if ca is False:
            context.verify_mode = tls.CERT_NONE
            return context
        if isinstance(ca, str):
            ca = ca.encode()
        if b"-----BEGIN" in ca:  # some builds read DER only
            ca = binascii.a2b_base64(b"".join(ca.split(b"-----")[2].split()))
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(ca)
        return context

    # ------------------------------------------------------------------ what the device tells

    def press(self, treatment, counter, counters=None):
        """The press's id; it is on flash. Full, ValueError, OSError: it is not."""
        if treatment not in ("BASIC", "STANDARD", "PREMIUM") or not 0 <= counter < 2**31:
            raise ValueError("treatment is BASIC, STANDARD or PREMIUM, counter 0 to 2,147,483,647")
        event = {"event": "treatment", "treatment": treatment, "counter": counter, "queue_length": self.queued}
        event.update(self.vitals)
        if counters is not None:
            event["current_counters"] = counters
        return self._append(0, event)

    def reading(self, values):
        """The reading's id; it is on flash. Full, ValueError, OSError: it is not."""
        return self._append(1, values)

    def can_sleep(self):
        done = any(kept["stage"] == "done" for kept in self._commands)
        return not (self._exchange or self.queued or self._acked != self._written or done or self._restarting)

    def now(self):
        """UTC seconds by utc() or by the server's Date; 0: not known."""
        utc = self._utc() if self._utc else 0
        if utc or not self._clock:
            return utc
        return self._clock[0] + time.ticks_diff(time.ticks_ms(), self._clock[1]) // 1000

    def forget_token(self):
        self._me.pop("token", None)
        self._store.put("me", self._me)

    def _append(self, kind, values):
        text = json.dumps(values)
        if text[:1] != "{" or "NaN" in text or "inf" in text:
            raise ValueError("a JSON object")
        while self.queued >= self._capacity:
            if not self._drop:
                raise Full("%d records wait for the server" % self.queued)
            oldest, one = self._store.first(self._acked)[0], self._exchange
            if one and one["job"] == "send" and oldest <= one["about"][0]:  # it is under way as well
                one["about"][1] -= 1
                one["fewer"] = True
            self._pass(oldest, 1)
            self.dropped += 1
        if not self._booted:  # a boot that says nothing costs the flash nothing
            self._me["boot"] += 1
            try:
                self._store.put("me", self._me)
            except OSError:
                self._me["boot"] -= 1
                raise
            self._booted = True
        boot = self._me["boot"]
        key = (boot, self._last[1] + 1 if self._last[0] == boot else 1)
        utc = self.now()
        head = struct.pack("<B4sII", kind, binascii.unhexlify(self._me["random"]), utc, self._tenths)
        self._store.append(key, head + text[:-1].encode())
        self._last = key
        self.queued += 1
        if not utc:
            self._undated = True
        return "%s-%d-%d" % (self._me["random"], key[0], key[1])

    def _pass(self, key, count):
        if key <= self._acked:
            return
        self._acked = key
        self.queued = max(0, self.queued - count)
        self._moved = time.ticks_ms()
        if self._store.due(count):
            self._write_ack()

    def _write_ack(self):  # late is safe: what is sent again is the same
        if self._acked != self._written:
            self._store.put("acked", self._acked)
            self._store.forget(self._acked)
            self._written = self._acked

    def _anchor(self, utc):  # decided once and kept: sent again, a record must say the same time
        if self._undated and not self._anchored:
            kept = {boot: at for boot, at in self._anchors.items() if int(boot) >= self._acked[0]}
            if len(kept) < 8:
                kept[str(self._me["boot"])] = utc - self._tenths // 10 if utc else 0
                self._store.put("anchors", kept)
                self._anchors = kept
            self._anchored = True
