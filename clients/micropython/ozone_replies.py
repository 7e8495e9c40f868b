# What a reply means, and how long to wait after one that was none.
import json
import os
import time

from ozone_wire import NONSENSE, Failed, date

OFFLINE, ENROLLING, WAITING_FOR_OPERATOR, ONLINE, BLOCKED = range(5)
BATCH = 6  # records in one request
_LONGEST = 300000


def _plain(word, but=""):  # what may stand in a request's head
    return isinstance(word, str) and word and all(" " < c < "\x7f" and c not in but for c in word)


class Replies:
    def _fail(self, why):
        one, self._exchange = self._exchange, None
        self._close()
        if one is None:
            self.why = why
            return
        if one["reused"] and not one["in"]:
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
        elif status == 401 and self._mac:
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

    def _welcomed(self, told):
        token, name = told.get("token" if self._mac else "api_key"), told.get("device_id")
        if not (_plain(token) and (not self._mac or _plain(name, "/?#%\\"))):
            raise Failed(NONSENSE)
        new = dict(self._me)
        new["token"], new["device_id"] = token, str(name)
        if new != self._me:
            self._store.put("me", new)  # a token that is not on flash would be gone with the power
            self._me = new
        self._bad = False
        self._fine("hello", self._hello_ms)
        if not self._mac or told.get("assigned"):
            self._turn(ONLINE, "online")
        else:
            self._turn(WAITING_FOR_OPERATOR, "waiting until it is assigned to a machine")

    def _taken(self, one, told):  # a 2xx alone is nobody's word: a hotel's login page says 200 to whatever it is sent
        job, about = one["job"], one["about"]
        if job == "send":
            self._sent(one, about, told)
        elif job == "result" and "status" in told:
            self._turn(ONLINE, "online")
            self._reported(about)
        elif job == "poll" and isinstance(told.get("commands"), list):
            self._turn(ONLINE, "online")
            self._reason = None
            self._fine(job, 1000 if self._held else self._poll_ms)
            for command in told["commands"]:
                if isinstance(command, dict) and _plain(command.get("command_id"), "/?#%\\"):
                    payload = command.get("payload")
                    payload = payload if isinstance(payload, dict) else {}
                    self._carry_out(command["command_id"], command.get("command_type"), payload)
        else:
            raise Failed(NONSENSE)

    def _sent(self, one, about, told):
        key, count, reading = about
        if "status" not in told if reading else told.get("ack") is not True:
            results = told.get("results")
            if reading or not isinstance(results, list) or len(results) != count or one["fewer"]:
                if count == 1 and not one["fewer"]:
                    raise Failed(NONSENSE)
                self._batch = 1  # one by one, so that it is known which
                self._fine("send", 0)
                return
            found = [key for key, _ in self._store.after(self._acked, count)]
            for at, item in enumerate(results):
                if not (isinstance(item, dict) and item.get("ack") is True):
                    self._refuse(found[at])
        self._turn(ONLINE, "online")
        self._batch = BATCH
        self._pass(key, count)
        if told.get("commands"):
            self._due["poll"] = time.ticks_ms()
        self._fine("send", 0)

    def _refuse(self, key):
        self.refused += 1
        for _, record in self._store.after((key[0], key[1] - 1), 1):
            self._store.put("refused", record[13:].decode() + "}")
