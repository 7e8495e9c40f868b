# What is said next.
import binascii
import json
import struct
import time

from ozone_replies import ONLINE, WAITING_FOR_OPERATOR
from ozone_wire import instant


class Requests:
    def _record(self, key, record):  # as the server takes it
        kind, random, utc, tenths = struct.unpack_from("<B4sII", record)
        anchor = self._anchors.get(str(key[0]))
        if not utc and anchor:
            utc = anchor + tenths // 10
        text = record[13:].decode()
        text += "" if text == "{" else ","
        text += '"%s":"%s-%d-%d"' % (
            "message_id" if kind else "event_id",
            binascii.hexlify(random).decode(),
            key[0],
            key[1],
        )
        if utc:
            text += ',"%s":"%s"' % ("timestamp" if kind else "ts", instant(utc))
        return text + "}"

    def _wanted(self):
        if "token" not in self._me or self._bad or self.state == WAITING_FOR_OPERATOR:
            return ("hello",)
        jobs = []
        if any(kept["stage"] == "done" for kept in self._commands):
            jobs.append("result")
        if self.queued:
            jobs.append("time" if self._undated and not self._anchored else "send")
        if self._mac:
            jobs.append("poll")
        return jobs

    def _compose(self, job):
        about, body, method = None, None, "POST"
        base = "/api/device/%s/commands/" % self._me.get("device_id", "")
        timeout = self._timeout
        if job == "hello":
            path = "/api/handshake/" if self._mac else "/api/devices/claim"
            hello = {"mac": self._mac, "firmware": self._firmware} if self._mac else {"token": self._claim}
            body = json.dumps(hello)
        elif job == "time":
            method, path = "GET", "/healthz"
        elif job == "poll":
            held = self._held if self.state == ONLINE else 0
            timeout += held * 1000
            method, path = "GET", "%s?wait=%d&queue_length=%d" % (base, held, self.queued)
            for name, value in list(self.vitals.items()) + [
                ("firmware", self._firmware),
                ("reset_reason", self._reason),
            ]:
                if value:
                    path += "&%s=%s" % (name, str(value).replace("%", "%25").replace("&", "%26").replace(" ", "%20"))
        elif job == "result":
            about = next(kept for kept in self._commands if kept["stage"] == "done")
            path = base + about["id"] + "/"
            body = json.dumps({"success": about["success"], "message": about["message"]})
        else:
            records, kind, key = [], None, self._acked
            for found, record in self._store.after(self._acked, self._batch):
                if kind is None:
                    kind = record[0]
                if record[0] != kind:
                    break
                records.append(self._record(found, record))
                key = found
            if not records:  # nothing whole is left of what was counted
                self.queued = 0
                return None
            about = [key, len(records), kind]
            path = "/api/device-data/ingest" if kind else "/api/device/events/"
            body = records[0] if len(records) == 1 else "[" + ",".join(records) + "]"
        head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, path, self._named)
        if "token" in self._me:
            head += "Authorization: Bearer %s\r\n" % self._me["token"]
        raw = b""
        if body is not None:
            raw = body.encode()
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(raw)
        return {
            "job": job,
            "about": about,
            "fewer": False,  # of the records some have made room meanwhile
            "out": head.encode() + b"\r\n" + raw,
            "sent": 0,
            "in": b"",
            "timeout": timeout,
            "held": job == "poll" and timeout > self._timeout,
            "since": time.ticks_ms(),
            "reused": self._sock is not None,
            "open": self._sock is not None,
        }
