# Any bytes as a server's replies: replies.py CLIENT FOLDER COUNT FILE…, mutations of the files (without the first byte)
# and strange words. Whatever they are, tick() raises nothing, ends, and passes nothing that nobody answered.
import sys

sys.path.insert(0, sys.argv[1])
import os
import random
import time

import ozone

FOLDER, COUNT = sys.argv[2], int(sys.argv[3])
WORDS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 \r\n\r\n",
    b"\r\n\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: Chunked\r\n\r\n-99999\r\n",
    b"Connection: close\r\n",
    b"null",
    b"[]",
    b"{}",
    b'"commands":[{',
    b'"results":[',
    b'"ack":false',
    b'"event_id":7',
    b"\xff",
    b"true",
)
now = 1000


class Time:  # by a clock of its own nothing is waited for
    def __getattr__(self, name):
        return getattr(time, name)

    def ticks_ms(self):
        return now


for name in ("ozone", "ozone_exchange", "ozone_replies", "ozone_requests"):
    sys.modules[name].time = Time()


class Machine(ozone.Ozone):
    def _open(self, one, budget):
        one["open"] = True
        self._sock = self
        return True

    def close(self):
        pass

    def write(self, data):
        return len(data)

    def read(self, count):
        said, self.left = self.left[:count], self.left[count:]
        return said


BODIES = (
    b"<html>",
    b"null",
    b"[]",
    b'"x"',
    b'{"results": [7, null]}',
    b'{"ack": false, "results": [{}, {"event_id": 7}, {"ack": true}]}',
    b'{"commands": 7}',
    b'{"commands": [7, {}, {"command_id": 1}, {"command_id": "c1"}]}',
    b'{"commands": [{"command_id": "c2", "command_type": "RESET_COUNTERS", "payload": 7}]}',
    b'{"token": 7}',
    b'{"token": "t\\n", "api_key": "t\\n", "device_id": "m1"}',
    b'{"token": "t", "api_key": "t", "device_id": null}',
    b'{"detail": 7, "code": []}',
)
STATUS = (200, 200, 200, 201, 204, 400, 401, 403, 404, 500)


def odd():  # whole replies, of which none says that anything is stored
    said = b""
    for _ in range(12):
        body = BODIES[random.getrandbits(8) % len(BODIES)]
        said += b"HTTP/1.1 %d \r\nContent-Length: %d\r\n\r\n%s" % (
            STATUS[random.getrandbits(8) % len(STATUS)],
            len(body),
            body,
        )
    return said


def mutated(said):
    for _ in range(random.getrandbits(3)):
        at = random.getrandbits(16) % (len(said) + 1)
        what = random.getrandbits(2)
        if what == 0:
            said = said[:at] + bytes((random.getrandbits(8),)) + said[at + 1 :]
        elif what == 1:
            said = said[:at] + said[at + 1 + random.getrandbits(5) :]
        else:
            said = said[:at] + WORDS[random.getrandbits(8) % len(WORDS)] + said[at:]
    return said


def reply(body):
    return b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def batch_answered(results):  # of three: how many wait still, how many were refused
    for name in os.listdir(FOLDER):
        os.remove(FOLDER + "/" + name)
    machine = Machine("http://server", FOLDER, mac="EC:E3:34:46:2B:C0")
    machine._me["token"], machine._me["device_id"] = "a-token", "m1"
    ids = [machine.press("BASIC", counter) for counter in range(3)]
    told = ", ".join(result.replace("#", ids[at]) for at, result in enumerate(results))
    for body in (b"{}", b'{"ack": false, "results": [' + told.encode() + b"]}"):  # first it asks for the time
        machine.left = reply(body)
        while machine.left:
            machine.tick(0)
    return machine.queued, machine.refused


os.mkdir(FOLDER)
NAMED = '{"event_id": "#", "ack": %s}'
for results, outcome in (
    ((NAMED % "true", NAMED % "false", NAMED % "true"), (0, 1)),
    (("{}", '{"event_id": 7}', '{"ack": true}'), (3, 0)),
    (('{"ack": false}',) * 3, (3, 0)),
    (('{"event_id": "#"}',) * 3, (3, 0)),
    (('{"event_id": "x#", "ack": true}',) * 3, (3, 0)),
):
    found = batch_answered(results)
    if found != outcome:
        print("results", results, "left (waiting, refused)", found)
        sys.exit(1)
seeds = []
for name in sys.argv[4:]:
    with open(name, "rb") as file:
        seeds.append(file.read()[1:])
for run in range(COUNT):
    for name in os.listdir(FOLDER):
        os.remove(FOLDER + "/" + name)
    random.seed(run)
    meter = not random.getrandbits(2)
    who = {"claim_token": "claim"} if meter else {"mac": "EC:E3:34:46:2B:C0"}
    machine = Machine("http://server", FOLDER, handlers={"RESET_COUNTERS": lambda payload: payload["a"]}, **who)
    if random.getrandbits(1):
        machine._me["token"], machine._me["device_id"] = "a-token", "m1"
    strange = not random.getrandbits(1)
    machine.left = said = odd() if strange else mutated(seeds[run % len(seeds)])
    for counter in range(3):
        machine.reading({"v": 1}) if meter else machine.press("BASIC", counter)
    for _ in range(200):
        machine.tick(0)
        now += 60000 if not random.getrandbits(4) else 100
        if not machine.left and machine._exchange is None:
            break
    if machine.queued + machine.refused < 3 and (strange or b"HTTP/1" not in said):
        print("run", run, "passed what nobody has answered:", said)
        sys.exit(1)
    if "\n" in machine._me.get("token", "") or "a-token" in machine.why:
        print("run", run, "token", machine._me, machine.why)
        sys.exit(1)
print("runs", COUNT)
