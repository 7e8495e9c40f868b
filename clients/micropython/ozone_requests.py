# What is said next.
import json
import struct
import time

from ozone_replies import ONLINE, WAITING_FOR_OPERATOR
from ozone_wire import instant, name


class Requests:
    def _record(self, key, record):  # as the server takes it
        kind, _, utc, tenths = struct.unpack_from("<B4sII", record)
        anchor = self._anchors.get(str(key[0]))
        if not utc and anchor:
            utc = anchor + tenths // 10
        text = record[13:].decode()
        text += "" if text == "{" else ","
        text += '"%s":"%s"' % ("message_id" if kind else "event_id", name(key, record))
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
        if self.mac:
            jobs.append("poll")
        return jobs

    def _compose(self, job):
        path, about, body = "/api/device/%s/commands/" % self._me.get("device_id", ""), None, None
        timeout = self.timeout_ms
        if job == "hello":
            hello = {"mac": self.mac, "firmware": self.firmware} if self.mac else {"token": self.claim_token}
            path, body = "/api/handshake/" if self.mac else "/api/devices/claim", json.dumps(hello).encode()
        elif job == "time":
            path = "/healthz"
        elif job == "poll":
            held = self.held_s if self.state == ONLINE else 0
            timeout += held * 1000
            path += self._told(held)
        elif job == "result":
            about = next(kept for kept in self._commands if kept["stage"] == "done")
            path += about["id"] + "/"
            body = json.dumps({"success": about["success"], "message": about["message"]}).encode()
        else:
            about, body = self._several()
            if about is None:
                return None
            path = "/api/device-data/ingest" if about[2] else "/api/device/events/"
        return {
            "job": job,
            "about": about,
            "fewer": False,  # of the records some have made room meanwhile
            "out": self._head(path, body),
            "sent": 0,
            "head": None,  # of the reply
            "in": b"",
            "timeout": timeout,
            "held": timeout > self.timeout_ms,
            "since": time.ticks_ms(),
            "reused": self._sock is not None,
            "open": self._sock is not None,
        }

    def _told(self, held):  # with a poll
        path = "?wait=%d&queue_length=%d" % (held, self.queued)
        told = list(self.vitals.items())
        told += (("firmware", self.firmware), ("reset_reason", self.reset_reason))
        for word, value in told:
            if value:
                path += "&%s=%s" % (word, str(value).replace("%", "%25").replace("&", "%26").replace(" ", "%20"))
        return path

    def _several(self):  # records of one kind: [the last one's key, how many, the kind], and the body
        records, kind, key = [], None, None
        for found, record in self._store.after(self._acked, self._batch):
            if kind is None:
                kind = record[0]
            if record[0] != kind:
                break
            records.append(self._record(found, record))
            key = found
        if not records:  # nothing whole is left of what was counted
            self.queued = 0
            return None, None
        body = records[0] if len(records) == 1 else "[" + ",".join(records) + "]"
        return [key, len(records), kind], body.encode()

    def _head(self, path, body):
        head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % ("GET" if body is None else "POST", path, self._named)
        if "token" in self._me:
            head += "Authorization: Bearer %s\r\n" % self._me["token"]
        if body is None:
            return (head + "\r\n").encode()
        head += "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head.encode() + body
