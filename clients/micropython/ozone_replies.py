# What a reply means, and how long to wait after one that was none.
import json
import os
import time

from ozone_wire import date

OFFLINE, ENROLLING, WAITING_FOR_OPERATOR, ONLINE, BLOCKED = range(5)
BATCH = 6  # records in one request
_LONGEST = 300000


class Replies:
    def _fail(self, why):
        one, self._exchange = self._exchange, None
        self._close()
        if one is None:
            self.why = why
            return
        if one["reused"] and not one["in"] and not one["head"]:
            return  # the server had closed a connection that was kept: once more on a new one
        self._turn(OFFLINE if self.state == ONLINE else self.state, why)
        self._later(one["job"], 0)

    def _turn(self, state, why):
        self.state, self.why = state, why

    def _fine(self, job, wait):
        self._fails[job] = 0
        self._due[job] = time.ticks_add(time.ticks_ms(), wait)

    def _later(self, job, retry_after):
        fails = self._fails.get(job, 0)
        self._fails[job] = fails + 1
        wait = min(2000 << min(fails, 8), _LONGEST)
        wait = wait * 8 // 10 + os.urandom(1)[0] * wait * 4 // 2560
        self._due[job] = time.ticks_add(time.ticks_ms(), max(wait, min(retry_after, 3600) * 1000))

    def _block(self, job, why):
        self._turn(BLOCKED, why)
        self._due[job] = time.ticks_add(time.ticks_ms(), _LONGEST)

    def _answered(self, one, status, headers, body):
        job = one["job"]
        utc = date(headers.get("date", ""))
        if utc:
            self._clock = (utc, time.ticks_ms())
        if headers.get("connection", "").lower() == "close" or headers[""] == "0":
            self._close()
        if job == "time":
            self._anchor(self.now())
            self._fine(job, 0)
            return
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            told = {}
        code = told.get("code")
        retry = headers.get("retry-after", "")
        retry = int(retry) if retry.isdigit() else 0
        if status in (200, 201):
            self._welcomed(told) if job == "hello" else self._taken(one, told)
        elif code == "not_assigned":
            self._turn(WAITING_FOR_OPERATOR, "waiting until it is assigned to a machine")
            self._later(job, retry)
        elif status == 401 and self.mac:
            if not self._bad:
                self._bad = True
                self._due["hello"] = time.ticks_ms()
            self._turn(ENROLLING, "asks for a new token")
            self._later(job, retry)
        elif status == 401:
            self._block(job, "the server does not know its key: claim it anew")
        elif code == "reenrolment_required":
            self._block(job, "known by its MAC, its token is not: press Allow re-enrolment on its page")
        elif code == "device_archived":
            self._block(job, "archived by an operator: restore it there")
        elif job == "hello" and status == 400:
            self._block(job, str(told.get("detail", "refused")))
        elif job == "send" and status in (400, 413, 415):
            if one["about"][1] > 1 or one["fewer"]:  # which of them?
                self._batch = max(1, one["about"][1] // 2) if status == 413 else 1
            else:
                self._refuse(one["about"][0])
                self._pass(one["about"][0], 1)
            self._fine(job, 0)
        elif job == "result" and status in (400, 404, 409, 413):
            self._reported(one["about"])
        else:
            self._turn(OFFLINE if self.state == ONLINE else self.state, "the server answers with %d" % status)
            self._later(job, retry)
