# Torn writes under VfsLfs2: cuts.py CLIENT COUNT. The flash is a RAM disk that dies in the middle of a block's write.
import sys

sys.path.insert(0, sys.argv[1])
import json
import os
import random

import ozone
import vfs

BLOCK, BLOCKS, PRESSES = 512, 96, 40


class Flash:
    def __init__(self):
        self.bytes = bytearray(BLOCK * BLOCKS)
        self.left = -1  # writes until the power goes; -1: it stays

    def readblocks(self, block, into, offset=0):
        at = block * BLOCK + offset
        into[:] = memoryview(self.bytes)[at : at + len(into)]

    def writeblocks(self, block, data, offset=0):
        at, count = block * BLOCK + offset, len(data)
        if self.left == 0:
            return -5  # dead
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                count //= 2
        memoryview(self.bytes)[at : at + count] = memoryview(data)[:count]
        return 0 if count == len(data) else -5

    def ioctl(self, what, argument):
        if what == 4:
            return BLOCKS
        if what == 5:
            return BLOCK
        if what == 6:
            if self.left == 0:
                return -5
            memoryview(self.bytes)[argument * BLOCK : (argument + 1) * BLOCK] = ERASED
            return 0
        return 0


ERASED = b"\xff" * BLOCK
stored = {}


class Machine(ozone.Ozone):
    def _open(self, one, budget):  # in place of a network: a server that stores, and whose reply is lost now and then
        one["open"] = True
        self._sock = self
        return True

    def close(self):
        pass

    def write(self, data):
        self.said = getattr(self, "said", b"") + data
        return len(data)

    def read(self, count):
        said, self.said = self.said, b""
        head, _, body = said.partition(b"\r\n\r\n")
        reply = '{"commands": []}'
        if b"/handshake/" in head:
            reply = '{"device_id": "m1", "token": "t", "assigned": true}'
        elif b"/events/" in head:
            events = json.loads(body)
            for event in events if isinstance(events, list) else [events]:
                stored.setdefault(event["event_id"], []).append((event["counter"], event.get("ts")))
            reply = '{"ack": true}'
        if not random.getrandbits(3):
            return b""
        told = "HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 20:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s"
        return (told % (len(reply), reply)).encode()

    def _later(self, job, retry_after):  # no waiting here
        self._fine(job, 0)


def life(flash, first, promised):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    try:
        machine = Machine("http://server", "/flash/q", mac="EC:E3:34:46:2B:C0", capacity=200, poll_ms=0, utc=lambda: 0)
        for counter in range(first, PRESSES + 1):
            first = counter + 1
            machine.press("BASIC", counter)
            promised.append(counter)
            for _ in range(random.getrandbits(3)):
                machine.tick(0)
        for _ in range(3000):
            if not machine.queued:
                break
            machine.tick(0)
        assert not machine.queued, machine.why
    except OSError:
        if flash.left:
            raise
    finally:
        vfs.umount("/flash")
    return first


def full():
    """On a flash without room: refused, what was taken goes out all the same, and after it all goes on."""
    flash, promised = Flash(), []
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    machine = Machine("http://server", "/flash/q", mac="EC:E3:34:46:2B:C0", poll_ms=0, utc=lambda: 0)
    while machine.queued or not machine.state:
        machine.tick(0)
    try:
        with open("/flash/filler", "ab") as filler:
            while filler.write(bytes(100)) and not filler.flush():
                pass
    except OSError:
        pass
    refused = 0
    while refused < 70:  # more often than there may be segments
        try:
            machine.press("BASIC", len(promised) + 1)
            promised.append(len(promised) + 1)
        except OSError:
            refused += 1
    for _ in range(3000):
        machine.tick(0)
    stuck, why = machine.queued, machine.why
    os.remove("/flash/filler")
    machine.press("BASIC", len(promised) + 1)
    promised.append(len(promised) + 1)
    vfs.umount("/flash")
    life(flash, PRESSES + 1, promised)
    told = sorted(found[0][0] for found in stored.values())
    if stuck or told != promised:
        print("full", stuck, why, "promised", len(promised), "stored", len(told))
        sys.exit(1)


def said_not_to_be_written():
    """One that is on the flash all the same, and was not counted, holds up none that was taken."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    machine = Machine("http://server", "/flash/q", mac="EC:E3:34:46:2B:C0", poll_ms=0)
    write = machine._store.append

    def lies(key, record):
        write(key, record)
        raise OSError(5)

    stored.clear()
    for counter in range(7):
        machine._store.append = lies if counter == 3 else write
        try:
            machine.press("BASIC", counter)
        except OSError:
            assert counter == 3
    for _ in range(3000):
        machine.tick(0)
    vfs.umount("/flash")
    told = sorted(found[0][0] for found in stored.values())
    if machine.queued or told != list(range(7)):
        print("said not to be written", machine.queued, machine.why, told)
        sys.exit(1)


os.chdir("/")
full()
said_not_to_be_written()
tears = 0
for cut in range(1, int(sys.argv[2]) + 1):
    random.seed(cut)
    flash, promised = Flash(), []
    vfs.VfsLfs2.mkfs(flash)
    stored.clear()
    flash.left = 1 + random.getrandbits(11) % 250
    first = life(flash, 1, promised)
    tears += flash.left == 0
    flash.left = -1
    life(flash, first, promised)
    told = [found[0][0] for found in stored.values()]
    same = all(len(set(found)) == 1 for found in stored.values())
    if sorted(set(told)) != sorted(told) or not set(promised) <= set(told) or not same:
        print("cut", cut, "promised", promised, "stored", sorted(told), same)
        sys.exit(1)
print("cuts", sys.argv[2], "torn", tears)
