# Records in segments that only grow, and slots that are replaced, on any file system of MicroPython (VfsLfs2 by choice:
# there a file that was closed survives a power cut, and a rename is done or not done).
import binascii
import json
import os
import struct

_SEGMENT = 4096
_FRAME = 14  # length, boot, number, CRC-32


class Full(Exception):
    """There is no room, and the oldest may not be dropped: nothing was taken."""


class Store:
    def __init__(self, folder, limit=64, ack_every=16):
        self.folder, self.limit, self.ack_every = folder, limit, ack_every
        self._passed = 0
        try:
            os.mkdir(folder)
        except OSError:
            pass
        self._segments = sorted(int(name[1:], 16) for name in os.listdir(folder) if name[:1] == "q" and len(name) == 9)
        self._size = 0  # of the newest; 0: the next record begins a new one, as after a start or a write that failed

    def _path(self, segment):
        return "%s/q%08x" % (self.folder, segment)

    def append(self, key, record):
        frame = struct.pack("<HII", len(record), key[0], key[1])
        frame += struct.pack("<I", binascii.crc32(record, binascii.crc32(frame)) & 0xFFFFFFFF) + record
        if not self._size or self._size + len(frame) > _SEGMENT:
            if len(self._segments) >= self.limit:
                raise Full("the flash's share is full")
            self._segments.append(self._segments[-1] + 1 if self._segments else 1)
            self._size = 0
        size, self._size = self._size, 0
        path = self._path(self._segments[-1])
        try:
            with open(path, "ab") as file:
                file.write(frame)
        except (OSError, MemoryError):
            if not size:
                self._undo(path)
            raise
        self._size = size + len(frame)

    def _undo(self, path):  # else presses on a flash without room would use up the segments, one each
        try:
            os.remove(path)
        except OSError as problem:
            if problem.errno != 2:  # it was made
                return
        self._segments.pop()

    def _records(self, segment):
        try:
            with open(self._path(segment), "rb") as file:
                while True:
                    frame = file.read(_FRAME)
                    if len(frame) < _FRAME:
                        return
                    length, boot, number, crc = struct.unpack("<HIII", frame)
                    record = file.read(length)
                    if len(record) < length or binascii.crc32(record, binascii.crc32(frame[:10])) & 0xFFFFFFFF != crc:
                        return  # torn by a power cut; nothing is ever written behind it
                    yield (boot, number), record
        except OSError:
            return

    def after(self, key, most):
        for segment in list(self._segments):
            for found, record in self._records(segment):
                if found > key:
                    yield found, record
                    most -= 1
                    if not most:
                        return

    def first(self, key):
        return next(self.after(key, 1))

    def count(self, key):
        """How many come after it, and the last of all, or the key itself."""
        count = 0
        for found, _ in self.after(key, -1):
            count, key = count + 1, found
        return count, key

    def due(self, count):
        self._passed += count
        return self._passed >= self.ack_every

    def forget(self, key):
        self._passed = 0
        while len(self._segments) > 1 and not any(found > key for found, _ in self._records(self._segments[0])):
            try:
                os.remove(self._path(self._segments[0]))
            except OSError:
                return
            self._segments.pop(0)

    def put(self, slot, value):
        path = "%s/%s" % (self.folder, slot)
        text = json.dumps(value).encode()
        with open(path + ".part", "wb") as file:
            file.write(struct.pack("<I", binascii.crc32(text) & 0xFFFFFFFF))
            file.write(text)
        os.rename(path + ".part", path)

    def keep(self, slot, value):
        """Whether it is on flash."""
        try:
            self.put(slot, value)
        except OSError:
            return False
        return True

    def get(self, slot):
        try:
            with open("%s/%s" % (self.folder, slot), "rb") as file:
                crc, text = struct.unpack("<I", file.read(4))[0], file.read()
            return json.loads(text) if binascii.crc32(text) & 0xFFFFFFFF == crc else None
        except (OSError, ValueError):
            return None
