"""The costliest requests to every address that somebody has thought of, within the limits of size.

A table of one line a route, and as long as there are routes.

`test_scoping.py` holds the table against the URL map: a new route needs a line here, with the kinds of its requests.

    name       names in the path: long, of characters that are slow to normalise, of digits
    query      a thousand parameters, long values, wrong encodings, the widest spans
    json       many keys and one twice, many objects, deep nesting, long texts, numbers, bytes that are no UTF-8, gzip
    form       many fields, long ones, many parts, percent signs
    events     batches that are refused, and batches that are not
    readings   batches of a thousand, and one as large as a body may be
    strangers  MACs that nobody has seen
    figures    the most buckets there may be
    password   one to hash
    many       a body that names a thousand devices
    file       a CSV of devices, as long as it may be

Each is sent by somebody who owns nothing, and by one of the staff of a house with a year of history.
"""

import gzip
import json
import random
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from bench.attack import request
from tests.support.scoping import BODIES

TABLE: Final = """
/gateway/devices/claim                                  json
/gateway/device-data/ingest                             json readings
/gateway/devices/<device>/provision                     name json
/gateway/devices/<device>/telemetry/latest              name query
/gateway/devices/<device>/telemetry                     name query
/api/devices/claim                                      json
/api/device-data/ingest                                 json readings
/api/devices/<device>/provision                         name json
/api/devices/<device>/telemetry/latest                  name query
/api/devices/<device>/telemetry                         name query
/api/devices/                                           query json
/api/devices/<device>/                                  name query json
/api/devices/<device>/restore/                          name json
/api/devices/<device>/rotate/                           name json
/api/devices/<device>/allow-handshake/                  name json
/api/devices/<device>/handshakes/                       name query
/api/devices/<device>/quarantine/                       name query
/api/devices/<device>/quarantine/<quarantined>/discard/ name json
/api/devices/<device>/quarantine/<quarantined>/accept/  name json
/api/devices/<device>/redate/                           name json
/api/devices/online/                                    query
/api/devices/all/                                       query
/api/devices-data/                                      query
/api/telemetry/summary/                                 query
/api/telemetry/latest/                                  query
/api/handshake/                                         json strangers
/api/device/events/                                     json events
/api/events/                                            json query events
/api/iot/                                               json form
/api/device/<device>/commands/                          name query
/api/device/<device>/commands/<sent>/                   name json
/api/device/<device>/commands/create/                   name json
/api/device/<device>/commands/status/                   name query
/api/commands/bulk/                                     json many
/api/commands/<failed>/retry/                           name json
/api/commands/<pending>/cancel/                         name json
/api/events/<event>/                                    name query
/api/export/                                            query
/api/events/analytics/                                  query
/api/outlets/                                           query json
/api/outlets/<outlet>/                                  name query json
/api/outlets/<outlet>/restore/                          name json
/api/machines/                                          query json
/api/machines/register/                                 json
/api/machines/unregistered/                             query
/api/machines/<machine>/                                name query json
/api/machines/<machine>/restore/                        name json
/api/machines/<machine>/device/                         name json
/api/machines/<machine>/device/undo/                    name json
/api/machines/<machine>/logs/                           name query
/api/stats/                                             query figures
/api/stats/options/                                     query
/api/stats/export.csv                                   query figures
/api/test/stats/                                        query figures
/api/test/stats-options/                                query
/api/test/stats-export.csv                              query figures
/api/flush/                                             json
/api/ledger/                                            query
/api/ledger/lines/<line>/settle/                        name json
/api/prices/                                            query json
/api/prices/<price>/                                    name json
/api/shares/                                            query json
/api/shares/<share>/                                    name json
/api/statements/                                        query
/api/statements/<statement>/                            name query
/api/statements/<statement>/export.csv                  name query
/api/statements/<statement>/close/                      name json
/api/revenue/                                           query figures
/api/revenue/export.csv                                 query figures
/api/revenue/outlets/                                   query
/api/revenue/outlets.csv                                query
/api/channels/                                          query json
/api/channels/<channel>/                                name query json
/api/channels/<channel>/test/                           name json
/api/channels/<unverified>/code/                        name json
/api/channels/<unverified>/verify/                      name json
/api/deliveries/                                        query
/api/deliveries/<delivery>/replay/                      name json
/api/incidents/                                         query
/api/incidents/<incident>/                              name query
/api/incidents/<incident>/acknowledge/                  name json
/api/incidents/<incident>/snooze/                       name json
/api/alert-rules/                                       query json
/api/alert-rules/effective/                             query
/api/alert-rules/<rule>/                                name
/api/maintenance/                                       query json
/api/maintenance/<window>/                              name
/api/auth/login/                                        json password
/api/auth/token/                                        json password
/incidents/                                             query
/incidents/<incident>/                                  name query
/incidents/<incident>/acknowledge/                      name query form
/incidents/<incident>/snooze/                           name query form
/incidents/maintenance/                                 query
/incidents/maintenance/add/                             query form
/incidents/maintenance/<window>/end/                    name query form
/incidents/rules/                                       query
/incidents/rules/set/                                   query form
/incidents/rules/<rule>/remove/                         name query form
/channels/                                              query
/channels/add/                                          query form
/channels/<channel>/edit/                               name query form
/channels/<unverified>/verify/                          name query form
/channels/<unverified>/code/                            name query form
/channels/<channel>/test/                               name query form
/channels/<channel>/delete/                             name query form
/deliveries/<delivery>/replay/                          name query form
/api/admin/login/                                       json password
/api/admin/refresh/                                     json
/api/auth/register/                                     json password
/api/auth/logout/                                       json
/api/auth/user/                                         query
/api/auth/check/                                        query
/api/internal/stations/data/                            json
/api/internal/stations/verify/                          json
/api/stations/                                          query
/api/stations/<station>/                                name query
/api/power-banks/                                       query
/api/schema/                                            query
/api/docs/                                              query
/healthz                                                query
/readyz                                                 query
/metrics                                                query
/                                                       query
/favicon.ico                                            query
/login/                                                 query form password
/logout/                                                form
/register/                                              query form password
/account/                                               query form
/gateway/device-tokens                                  query form
/device-tokens/                                         query form
/device-tokens/<token>/revoke/                          name form
/device-tokens/revoke-key/                              query form
/devices/                                               query
/devices/<device>/commands/                             name query
/devices/<device>/commands/send/                        name query form
/devices/<device>/commands/<failed>/retry/              name query form
/devices/<device>/commands/<pending>/cancel/            name query form
/device-add/                                            query form
/device-bulk/                                           query form many
/command-bulks/                                         query
/command-bulks/<bulk>/                                  name query
/command-bulks/<bulk>/cancel/                           name query form
/device-upload/                                         query form file
/stats/                                                 query figures
/find/                                                  query
/stations/                                              query
/stations/<station>/                                    name query
/machines/                                              query
/machines/add/                                          query form
/machines/deleted/                                      query
/machines/labels/                                       query
/machines/<machine>/logs/                               name query
/machines/<machine>/ledger/                             name query
/machines/<machine>/ledger/<line>/settle/               name query form
/machines/<machine>/edit/                               name query form
/install/                                               query form
/machines/<machine>/install/                            name query
/machines/<machine>/install/boards/<spare>/             name query form
/machines/<machine>/install/undo/                       name query form
/machines/<machine>/assign/                             name query form
/machines/<machine>/unassign/                           name query form
/machines/<machine>/delete/                             name query form
/machines/<machine>/restore/                            name query form
/outlets/                                               query
/outlets/deleted/                                       query
/outlets/add/                                           query form
/outlets/<outlet>/                                      name query
/outlets/<outlet>/edit/                                 name query form
/outlets/<outlet>/delete/                               name query form
/outlets/<outlet>/restore/                              name query form
/prices/                                                query
/prices/set/                                            query form
/prices/share/                                          query form
/prices/<price>/delete/                                 name query form
/prices/share/<share>/delete/                           name query form
/statements/                                            query
/statements/close/<month>/                              name query form
/statements/<statement>/                                name query
/statements/<statement>/close/                          name query form
/channels/stop/<stop>/                                  name query form
/admin/login/                                           query form password
/device-archive/                                        query
/devices/<device>/                                      name query
/devices/<device>/edit/                                 name query form
/devices/<device>/rename/                               name query form
/devices/<device>/assign/                               name query form
/devices/<device>/unassign/                             name query form
/devices/<device>/allow-handshake/                      name query form
/devices/<device>/rotate/                               name query form
/devices/<device>/redate/                               name query form
/devices/<device>/archive/                              name query form
/devices/<device>/restore/                              name query form
/devices/<device>/quarantine/<quarantined>/discard/     name query form
/devices/<device>/quarantine/<quarantined>/accept/      name query form
"""

_MARKS: Final = "a" + "\u0315" * 20_000 + "\u0300" * 20_000
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


class Caller(NamedTuple):
    """What the caller holds: the key of a device, named, and the cookie of an account."""

    device: str
    key: str
    cookie: str


class Line(NamedTuple):
    path: str
    kinds: tuple[str, ...]


def lines() -> list[Line]:
    return [Line(path, tuple(kinds)) for path, *kinds in (line.split() for line in TABLE.strip().splitlines())]


def requests_to(line: Line, caller: Caller) -> Iterator[bytes]:
    """All of a line: of its kinds, and with the costliest heads."""
    path = re.sub(r"<device>", caller.device, line.path)
    path = re.sub(r"<\w+>", "1", path)
    yield from _heads(path)
    for kind in line.kinds:
        for method, target, body, headers in _KINDS[kind](line.path, path, caller):
            yield request(method, target, body, **_credential(line.path, caller), **headers)


Made = Iterator[tuple[str, str, bytes, dict[str, str]]]


def _credential(path: str, caller: Caller) -> dict[str, str]:
    if "logout" in path:
        return {}
    if re.match(r"/(api|gateway)/(device/|device-data|events/$)", path):
        return {"Authorization": f"Bearer {caller.key}"}
    return {"Cookie": caller.cookie}


def _heads(path: str) -> Iterator[bytes]:
    yield request("GET", path, Cookie='a="' + '\\"' * 7_500 + '"')
    yield request("POST", path, b"x=1", Content_Type="multipart/form-data" + ';"' * 120)
    yield request("POST", path, b"{}", Content_Type="multipart/form-data" + ";" * 15_000)
    yield request("GET", path, b"", **{f"X_{number}": "a" * 150 for number in range(80)})
    yield request("GET", path, Accept="a/b;q=0.1," * 1_500, If_None_Match='"a",' * 100)
    yield request("WORD" * 3_000, path)
    yield request("GET", path, Authorization="Bearer " + "a." * 7_000)


def _name(pattern: str, path: str, caller: Caller) -> Made:
    for word in (quote("\u0315" * 1_200 + "\u0300" * 1_200), "9" * 15_000, "%ff" * 5_000, "a:" * 7_500, "%2f" * 5_000):
        yield "GET", re.sub(r"<\w+>", word, pattern), b"", {}


def _query(pattern: str, path: str, caller: Caller) -> Made:
    marks = quote("\u0315" * 1_200 + "\u0300" * 1_200)
    names = ("device_id", "start", "end", "days", "tz", "limit", "cursor", "before", "after", "q", "page", "sort")
    for widest in ("", "?limit=10000", "?limit=5000", "?days=36500", "?start=2000-01-01", "?q=a", "?page=9"):
        yield "GET", path + widest, b"", {}
    yield "GET", f"{path}?" + "&".join(f"a{number}={number}" for number in range(990)), b"", {}
    yield "GET", f"{path}?" + "a=&" * 5_000, b"", {}
    for name in names:
        yield "GET", f"{path}?{name}={marks}", b"", {}
        yield "GET", f"{path}?{name}={'9' * 4_000}", b"", {}
    yield "GET", f"{path}?days=36500&limit=10000&start=1900-01-01&end=2199-12-31&granularity=hour", b"", {}
    yield "GET", f"{path}?q=" + "%25_" * 3_000, b"", {}


def _json(pattern: str, path: str, caller: Caller) -> Made:
    sample = BODIES.get(f"POST {pattern.replace('/gateway/', '/api/')}", "{}")
    fields = json.loads(re.sub(r"<\w+>", "1", sample)) or {"name": 1}
    share = 240_000 // (2 * len(fields)) // 2
    numbers = b"[" + b",".join([b"1"] * 120_000) + b"]"
    bodies = [
        ("{" + ",".join(f'"{n:x}":0' for n in range(20_000)) + ',"z":0,"z":0}').encode(),
        b"[" + b",".join([b"[]"] * 9_999) + b"]",
        b"[" * 250_000,
        b'{"a":"\\\\u0000","b":' + numbers + b"}",
        _dumped(dict.fromkeys(fields, "̕" * share + "̀" * share)),
        _dumped(dict.fromkeys(fields, "9" * 4000)),
        _dumped({name: [0] * (100_000 // len(fields)) for name in fields}),
        _dumped(fields | {"further": {f"{n}": "\U0001f4a9" for n in range(8_000)}}),
        b'{"a": "' + b"x" * 250_000 + b'\xff"}',
        b'{"a": ' + b"1" * 4_200 + b"}",
    ]
    for body in bodies:
        yield "POST", path, body, {"Content_Type": _JSON}
    yield "PATCH", path, bodies[0], {"Content_Type": _JSON}
    yield "POST", path, gzip.compress(b" " * 262_000), {"Content_Type": _JSON, "Content_Encoding": "gzip"}


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _form(pattern: str, path: str, caller: Caller) -> Made:
    names = ("username", "password", "email", "name", "device_id", "mac", "notes", "text", "devices", "macaddr", "mode")
    marks = quote("\u0315" * 300 + "\u0300" * 300)
    part = '--x\r\nContent-Disposition: form-data; name="a{}"\r\n\r\n1\r\n'
    for body in (
        "&".join(f"a{number}=1" for number in range(990)),
        "&".join(f"{name}={marks}" for name in names),
        "a=" + "%41" * 80_000,
        "&" * 250_000,
        "a=" + "%ff" * 80_000,
    ):
        yield "POST", path, body.encode(), {"Content_Type": _FORM}
    parts = "".join(part.format(number) for number in range(990)) + "--x--\r\n"
    yield "POST", path, parts.encode(), {"Content_Type": "multipart/form-data; boundary=x"}
    lines = "--x\r\n" + "Content-Disposition: form-data; name=a\r\n" * 4_000 + "\r\n\r\n--x--"
    yield "POST", path, lines.encode(), {"Content_Type": "multipart/form-data; boundary=x"}


def _events(pattern: str, path: str, caller: Caller) -> Made:
    for _ in range(3):
        refused = [{"event_id": "q", "event": "treatment", "treatment": secrets.token_hex(8)} for _ in range(500)]
        press = {"event": "treatment", "treatment": "BASIC", "counter": 1, "ts": "2026-01-01 10:00:00"}
        good = [press | {"event_id": secrets.token_hex(8)} for _ in range(500)]
        # Of each a line of the ledger, until somebody has decided on it.
        conflicts = [{**press, "event_id": "one", "counter": random.getrandbits(30)} for _ in range(500)]
        for batch in (refused, good, conflicts):
            yield "POST", path, _dumped(batch), {"Content_Type": _JSON}


def _readings(pattern: str, path: str, caller: Caller) -> Made:
    batch = [{"kwh": number, "timestamp": "2026-01-01T10:00:00", "more": [[], [], []]} for number in range(1_000)]
    yield "POST", path, _dumped(batch), {"Content_Type": _JSON}
    # Of these few fill a page of history, and thousands a machine's memory.
    yield "POST", path, _dumped({"text": "x" * 260_000}), {"Content_Type": _JSON}
    named = [{"kwh": 1, "message_id": secrets.token_hex(8)} for _ in range(1_000)]
    yield "POST", path, _dumped(named), {"Content_Type": _JSON}


def _strangers(pattern: str, path: str, caller: Caller) -> Made:
    for _ in range(60):
        yield "POST", path, _dumped({"mac": f"06{random.getrandbits(40):010X}"}), {"Content_Type": _JSON}


def _figures(pattern: str, path: str, caller: Caller) -> Made:
    for zone in ("UTC", "Australia/Lord_Howe"):
        for span in ("granularity=minute&days=34", "granularity=hour&days=2000", "granularity=day&days=36500"):
            yield "GET", f"{path}?{span}&compare=true&ma=49999&cumulative=true&tz={quote(zone)}", b"", {}


def _password(pattern: str, path: str, caller: Caller) -> Made:
    fields = {"username": secrets.token_hex(4), "password": "x" * 1_000, "email": "a@example.com"}
    yield "POST", path, _dumped(fields), {"Content_Type": _JSON}
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    yield "POST", path, body.encode(), {"Content_Type": _FORM}


_DEVICES: Final = [f"bench-{number}" for number in range(1_000)]


def _many(pattern: str, path: str, caller: Caller) -> Made:
    if path.startswith("/api/"):
        fields = {"command_type": "GET_STATUS", "device_ids": _DEVICES, "payload": {"text": "\U0001f4a9" * 900}}
        yield "POST", path, _dumped(fields), {"Content_Type": _JSON}
        return
    chosen = {"devices": " ".join(_DEVICES), "sure": "yes"}
    for asked in ({"do": "command", "command_type": "GET_STATUS"}, {"do": "change", "assigned": "yes"}):
        yield "POST", path, urlencode(chosen | asked).encode(), {"Content_Type": _FORM}


def _file(pattern: str, path: str, caller: Caller) -> Made:
    marks = "\u0315" * 100 + "\u0300" * 100
    table = "device_id,name,notes\n" + "".join(f"new {number},{marks[:5]},\n" for number in range(4_990))
    for text in (table, "name\n" + marks * 2_000, "mac\n" + "9" * 1_000_000, "name,mac\n" + '"' * 1_000_000):
        head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        yield "POST", path, f"{head}{text}\r\n--x--\r\n".encode(), {"Content_Type": "multipart/form-data; boundary=x"}
    yield "POST", path, urlencode({"text": table[:30_000]}).encode(), {"Content_Type": _FORM}


_KINDS: Final[dict[str, Callable[[str, str, Caller], Made]]] = {
    "name": _name,
    "query": _query,
    "json": _json,
    "form": _form,
    "events": _events,
    "readings": _readings,
    "strangers": _strangers,
    "figures": _figures,
    "password": _password,
    "many": _many,
    "file": _file,
}
