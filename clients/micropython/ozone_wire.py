# Replies of HTTP, and dates.
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"


NONSENSE = "the server's answer makes no sense"


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


def instant(utc):
    days, rest = utc // 86400 + 719468, utc % 86400
    era, of_era = days // 146097, days % 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    m = (5 * of_year + 2) // 153
    month = m + 3 if m < 10 else m - 9
    day = of_year - (153 * m + 2) // 5 + 1
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        year + era * 400 + (month <= 2),
        month,
        day,
        rest // 3600,
        rest // 60 % 60,
        rest % 60,
    )


def parse(raw, ended):
    """Status, headers (lower case; "" is the minor version) and body of a whole reply; None while it is not whole."""
    while True:
        head_end = raw.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        lines = raw[:head_end].decode().split("\r\n")
        if lines[0][:7] != "HTTP/1.":
            raise Failed(NONSENSE)
        status = int(lines[0][9:12])
        if status >= 200:
            break
        raw = raw[head_end + 4 :]  # 100 Continue and its like: the reply proper follows
    headers = {"": lines[0][7:8]}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = raw[head_end + 4 :]
    if status in (204, 304):
        return status, headers, b""
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
                return status, headers, whole
            whole += body[line_end + 2 : line_end + 2 + size]
            body = body[line_end + size + 4 :]
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length < 0:
            raise Failed(NONSENSE)
        return (status, headers, body[:length]) if len(body) >= length else None
    headers["connection"] = "close"
    return (status, headers, body) if ended else None
