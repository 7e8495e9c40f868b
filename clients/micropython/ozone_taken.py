# What a 2xx says.
import time

from ozone_replies import BATCH, ONLINE, WAITING_FOR_OPERATOR
from ozone_wire import NO_FLASH, NONSENSE, Failed, name


def _plain(word, but=b""):  # what may stand in a request's head
    # by its bytes: MicroPython keeps each letter of a string that it once looked at
    return isinstance(word, str) and word and all(32 < byte < 127 and byte not in but for byte in word.encode())


class Taken:
    def _welcomed(self, told):
        token, me = told.get("token" if self.mac else "api_key"), told.get("device_id")
        if not (_plain(token) and (not self.mac or _plain(me, b"/?#%\\"))):
            raise Failed(NONSENSE)
        new = dict(self._me)
        new["token"], new["device_id"] = token, str(me)
        if new != self._me:
            if not self._store.keep("me", new):  # the token would be gone with the power
                raise Failed(NO_FLASH)
            self._me = new
        self._bad = False
        self._fine("hello", self.hello_ms)
        if not self.mac or told.get("assigned"):
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
            self.reset_reason = None
            self._fine(job, 1000 if self.held_s else self.poll_ms)
            for command in told["commands"]:
                if isinstance(command, dict) and _plain(command.get("command_id"), b"/?#%\\"):
                    payload = command.get("payload")
                    payload = payload if isinstance(payload, dict) else {}
                    self._carry_out(command["command_id"], command.get("command_type"), payload)
        else:
            raise Failed(NONSENSE)

    def _sent(self, one, about, told):
        key, count, reading = about
        if "status" not in told if reading else told.get("ack") is not True:
            results = told.get("results")
            found = None if reading or one["fewer"] else self._match(results, count)
            if not found:
                if count == 1 and not one["fewer"]:
                    raise Failed(NONSENSE)
                self._batch = 1  # one by one, so that it is known which
                self._fine("send", 0)
                return
            for at, item in enumerate(results):
                if item.get("ack") is not True:
                    self._refuse(found[at])
        self._turn(ONLINE, "online")
        self._batch = min(BATCH, self._batch * 2)  # again as many as there is memory for
        self._pass(key, count)
        if told.get("commands"):
            self._due["poll"] = time.ticks_ms()
        self._fine("send", 0)

    def _match(self, results, count):  # the keys, if each is named: else nobody has said a word of them
        if not isinstance(results, list) or len(results) != count:
            return None
        found = []
        for key, record in self._store.after(self._acked, count):
            item = results[len(found)]
            if not (isinstance(item, dict) and item.get("event_id") == name(key, record)):
                return None
            if item.get("ack") is not True and item.get("ack") is not False:
                return None
            found.append(key)
        return found if len(found) == count else None

    def _refuse(self, key):
        self.refused += 1
        for _, record in self._store.after((key[0], key[1] - 1), 1):
            self._store.keep("refused", record[13:].decode() + "}")
