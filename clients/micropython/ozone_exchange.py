# One exchange with the server, piece by piece, none of which waits.
import gc
import select
import socket
import time

from ozone_wire import Failed, body_of, head

_BODY = 8192  # bytes of a reply at most
_PIECE = 256  # bytes in one step


class Exchange:
    def tick(self, budget_ms=50):
        """Works for about so long; with TLS a handshake's arithmetic may take longer."""
        began = time.ticks_ms()
        while True:
            now = time.ticks_ms()
            passed = self._rest + time.ticks_diff(now, self._ticked)
            self._ticked, self._tenths, self._rest = now, self._tenths + passed // 100, passed % 100
            if self._undated and not self._anchored and self.now():
                self._anchor(self.now())
            if self._restarting and not self._exchange:
                self._write_ack()
                self._restarting = False
                self.restart()
            try:
                busy = self._step(max(1, budget_ms - time.ticks_diff(now, began)))
            except MemoryError:  # later, when others have let go of some, and in smaller pieces
                busy, self._batch = True, 1
                self._fail("no memory")
                gc.collect()
            except (OSError, ValueError, Failed) as problem:  # ValueError: TLS says whom it does not trust
                busy = True
                self._fail("no connection" if isinstance(problem, OSError) else str(problem).strip())
            if not busy or time.ticks_diff(time.ticks_ms(), began) >= budget_ms:
                return

    async def run(self):
        """For an event loop of asyncio, in a task of its own."""
        import asyncio

        while True:
            self.tick(20)
            await asyncio.sleep_ms(20)

    def _step(self, budget):
        now = time.ticks_ms()
        one = self._exchange
        if one is None:
            for job in self._wanted():
                due = self._due.get(job)
                if due is None or time.ticks_diff(now, due) >= 0:
                    gc.collect()
                    self._exchange = self._compose(job)
                    return True
            if not self.queued and time.ticks_diff(now, self._moved) > 5000:
                self._write_ack()
            return False
        if time.ticks_diff(now, one["since"]) > one["timeout"]:
            raise Failed("no answer in time")
        if not one["open"]:
            return self._open(one, budget)
        if one["sent"] < len(one["out"]):
            count = self._sock.write(one["out"][one["sent"] : one["sent"] + _PIECE])
            one["sent"] += count or 0
            if one["sent"] == len(one["out"]):
                one["out"], one["sent"] = b"", 0  # its memory is needed for the reply
            return bool(count)
        data = self._sock.read(_PIECE)
        if data is None:
            # a press does not wait for a poll that is held
            send = self._due.get("send")
            if (
                one["held"]
                and not one["in"]
                and not one["head"]
                and self.queued
                and (send is None or time.ticks_diff(now, send) >= 0)
            ):
                self._close()
                self._exchange = None
                self._due["poll"] = now
                return True
            return False
        one["in"] += data
        if len(one["in"]) > _BODY:
            raise Failed("a reply does not fit here")
        if not one["head"]:
            found = head(one["in"])
            if found:
                one["head"], one["in"] = found[:2], found[2]
        body = body_of(*one["head"], one["in"], not data) if one["head"] else None
        if body is not None:
            self._answered(one, *one["head"], body)
            self._exchange = None
        elif not data:
            raise Failed("the connection broke")
        return True

    def _open(self, one, budget):
        if self._raw is None:
            self._raw = raw = socket.socket()
            raw.setblocking(False)
            try:
                raw.connect(socket.getaddrinfo(self._host, self._port)[0][-1])
            except OSError as problem:
                if problem.errno != 115 and problem.errno != 119:  # EINPROGRESS
                    raise
        poller = select.poll()
        poller.register(self._raw, select.POLLOUT)
        ready = poller.poll(min(budget, 20))
        if not ready:
            return False
        if ready[0][1] & (select.POLLERR | select.POLLHUP):
            raise Failed("no connection")
        if self._tls is None:
            self._sock = self._raw
        else:
            self._sock = self._tls.wrap_socket(self._raw, server_hostname=self._host, do_handshake_on_connect=False)
        one["open"] = True
        one["since"] = time.ticks_ms()
        return True

    def _close(self):
        for one in (self._sock, self._raw):
            try:
                if one is not None:
                    one.close()
            except OSError:
                pass
        self._sock = self._raw = None
