# The queue: records on flash, passed in their order, and how far.
import binascii
import json
import struct
import time

from ozone_store import Full


class Queue:
    def _append(self, kind, values):
        text = json.dumps(values)
        if text[:1] != "{" or "NaN" in text or "inf" in text:
            raise ValueError("a JSON object")
        while self.queued >= self.capacity:
            if not self.drop_oldest:
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
        self._last = key  # used up in any case: what could not be written may stand on the flash after all
        self._store.append(key, head + text[:-1].encode())
        self.queued += 1
        if not utc:
            self._undated = True
        return "%s-%d-%d" % (self._me["random"], key[0], key[1])

    def _pass(self, key, count):
        if key <= self._acked:
            return
        self._acked = key
        self.queued = max(0, self.queued - count)
        if not self.queued:  # it may be that a record which could not be written stands there, and was not counted
            self.queued = sum(1 for _ in self._store.after(key, 1))
        self._moved = time.ticks_ms()
        if self._store.due(count):
            self._write_ack()

    def _write_ack(self):  # late is safe: what is sent again is the same
        if self._acked == self._written:
            return
        self._moved = time.ticks_ms()  # a flash that takes nothing is not asked again at once
        self._store.forget(self._acked)  # first: it may be the room for what is written next
        if self._store.keep("acked", self._acked):
            self._written = self._acked

    def _anchor(self, utc):  # decided once and kept: sent again, a record must say the same time
        if self._undated and not self._anchored:
            kept = {boot: at for boot, at in self._anchors.items() if int(boot) >= self._written[0]}
            if len(kept) < 8:
                kept[str(self._me["boot"])] = utc - self._tenths // 10 if utc else 0
                if self._store.keep("anchors", kept):  # else they stay undated, now and when they are sent again
                    self._anchors = kept
            self._anchored = True
