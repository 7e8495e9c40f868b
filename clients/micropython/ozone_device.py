# What it is told.
import gc
import sys
import time


class Device:
    def __init__(self, url, folder, ca=None, **settings):
        self._tls = None
        if url.startswith("https:"):
            from ozone_tls import context

            self._tls = context(ca)
            self._forget("ozone_tls")
        from ozone_begin import begin

        begin(self, url, **settings)
        self._forget("ozone_begin")
        from ozone_recall import recall

        recall(self, folder)
        self._forget("ozone_recall")

    @staticmethod
    def _forget(module):  # once is enough, and it takes a kilobyte
        sys.modules.pop(module)
        gc.collect()

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
        utc = self.utc() if self.utc else 0
        if utc or not self._clock:
            return utc
        return self._clock[0] + time.ticks_diff(time.ticks_ms(), self._clock[1]) // 1000

    def forget_token(self):
        self._me.pop("token", None)
        self._store.put("me", self._me)
