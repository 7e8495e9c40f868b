# Replies of HTTP, and dates.
import binascii
import time

_EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0  # many chips count from 2000
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"


_ASKED = (b"date", b"connection", b"retry-after", b"content-length", b"transfer-encoding")
NONSENSE = "the server's answer makes no sense"
NO_FLASH = "the flash could not be written"


class Failed(Exception):
    pass


def date(text):  # of a Date header, as UTC seconds; 0 when it is none
    try:
        year, month = int(text[12:16]), _MONTHS.index(text[8:11].lower()) // 3
        y, m = year - (month < 2), month + 10 if month < 2 else month - 2
        days = y * 365 + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + int(text[5:7]) - 1 - 719468
        return days * 86400 + int(text[17:19]) * 3600 + int(text[20:22]) * 60 + int(text[23:25])
    except ValueError:
        return 0


def name(key, record):  # its id
    return "%s-%d-%d" % (binascii.hexlify(record[1:5]).decode(), key[0], key[1])


def instant(utc):
    told = time.gmtime(utc - _EPOCH)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % told[:6]


def head(raw):
    """Status and headers of a reply, and what is behind them; None while they are not whole.

    Headers in lower case, none but those that are asked for here: proxies send many. "" is the minor version.
    """
    while True:
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            return None
        if raw[:7] != b"HTTP/1.":
            raise Failed(NONSENSE)
        status = int(raw[9:12])
        if status >= 200:
            break
        raw = raw[end + 4 :]  # 100 Continue and its like: the reply proper follows
    headers = {"": raw[7:8].decode()}
    for line in raw[:end].split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _ASKED:
            headers[name.decode()] = value.decode().strip()
    return status, headers, raw[end + 4 :]


def body_of(status, headers, body, ended):
    """A reply's body; None while it is not whole."""
    if status in (204, 304):
        return b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        whole = b""
        while True:
            line_end = body.find(b"\r\n")
            if line_end < 0:
                return None
            size = int(body[:line_end].split(b";")[0], 16)
            if size < 0:
                raise Failed(NONSENSE)
            if len(body) < line_end + size + 4:
                return None
            if not size:
                return whole
            whole += body[line_end + 2 : line_end + 2 + size]
            body = body[line_end + size + 4 :]
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length < 0:
            raise Failed(NONSENSE)
        return body[:length] if len(body) >= length else None
    headers["connection"] = "close"
    return body if ended else None
