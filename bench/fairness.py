"""What an honest meter, and a person with a page open, notice of one caller who means harm.

Each kind is one caller over eight connections for a while; told is how long a reading takes beside it, of how long it
takes alone, and what the caller got done.
"""

import gzip
import http.client
import json
import random
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import attack, servers
from bench.load import INGEST, device_key

ALONE_SECONDS: Final = 5.0
SECONDS: Final = 20.0
LIMIT_MS: Final = 100.0
TIMES: Final = 3.0
"""The promise: a reading's p99 is under LIMIT_MS, or under so many times what it is alone."""
_JSON: Final = "application/json"
_EVENTS: Final = "/api/device/events/"


@dataclass(frozen=True)
class Scene:
    """A running server, a device's key and a signed-in account of the caller's own, and of an honest person."""

    port: int
    key: str
    cookie: str
    honest_cookie: str


def _post(path: str, body: bytes, **headers: str) -> bytes:
    return attack.request("POST", path, body, **{"Content_Type": _JSON, **headers})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _names(_: Scene) -> list[bytes]:
    marks = "a" + "\u0315" * 20_000 + "\u0300" * 20_000
    fields = {"username": marks, "password": marks}
    return [_post(f"/api/auth/{door}/", _json(fields | {"email": marks})) for door in ("login", "register")]


def _keys(_: Scene) -> list[bytes]:
    body = "{" + ",".join(f'"{n:x}":0' for n in range(20_000)) + ',"z":0,"z":0}'
    return [_post(path, body.encode()) for path in ("/api/auth/login/", "/api/handshake/")]


def _heads(_: Scene) -> list[bytes]:
    quotes = 'a="' + '\\"' * 7_000 + '"'
    found = [attack.request("GET", "/login/", Cookie=quotes), attack.request("GET", "/", Cookie=quotes * 12)]
    found += [_post("/login/", b"x=1", Content_Type="multipart/form-data" + ";" * size) for size in (200, 15_000)]
    found += [attack.request(f"WORD{n}" * 50, "/gateway/devices/claim") for n in range(20)]
    found += [attack.request("GET", "/api/events/?" + "a=&" * 5_000), attack.request("GET", "/" + "/a" * 7_000)]
    return found


def _values(scene: Scene) -> list[bytes]:
    bearer = {"Authorization": f"Bearer {scene.key}"}
    arrays = b"[" + b",".join([b"[]"] * 9_998) + b"]"
    numbers = b"[" + b",".join([b"1"] * 130_000) + b"]"
    walked = b'{"a":"\\\\u0000","b":' + numbers[:250_000].rpartition(b",")[0] + b"]}"
    bodies = [arrays, numbers[:260_000].rpartition(b",")[0] + b"]", walked, b"[" * 250_000]
    found = [_post(path, body, **bearer) for body in bodies for path in (INGEST, _EVENTS, "/api/handshake/")]
    bomb = gzip.compress(b" " * 262_144)
    return [*found, _post(INGEST, bomb, Content_Encoding="gzip", **bearer)]


def _refused(scene: Scene) -> list[bytes]:
    def event() -> dict[str, Any]:
        return {"event_id": "q", "event": "treatment", "treatment": f"BAD{random.getrandbits(60)}", "counter": 1}

    bearer = {"Authorization": f"Bearer {scene.key}"}
    return [_post(_EVENTS, _json([event() for _ in range(500)]), **bearer) for _ in range(60)]


def _batches(scene: Scene) -> list[bytes]:
    def event() -> dict[str, Any]:
        name = secrets.token_hex(8)
        return {"event_id": name, "event": "treatment", "treatment": "BASIC", "counter": random.getrandbits(30)}

    bearer = {"Authorization": f"Bearer {scene.key}"}
    presses = [_post(_EVENTS, _json([event() for _ in range(500)]), **bearer) for _ in range(40)]
    readings = [_post(INGEST, _json([{"kwh": n, "volts": [1, 2, 3]} for n in range(1_000)]), **bearer)]
    return [request for press in presses for request in (press, *readings)]


def _strangers(_: Scene) -> list[bytes]:
    macs = [f"06{random.getrandbits(40):010X}" for _ in range(2_000)]
    return [_post("/api/handshake/", _json({"mac": mac})) for mac in macs]


def _figures(scene: Scene) -> list[bytes]:
    paths = ("/api/stats/?granularity=minute&days=34&compare=true", "/stats/?granularity=minute&days=34&compare=true")
    more = ("/api/events/analytics/?days=36500", "/api/export/?days=36500", "/api/events/?days=36500&limit=10000")
    money = ("/api/revenue/?granularity=minute&days=34&compare=true", "/api/ledger/?limit=5000")
    told = ("/api/revenue/outlets/?start=2025-12-01&end=2026-11-30", "/api/incidents/?held=1&limit=5000")
    return [attack.request("GET", path, Cookie=scene.cookie) for path in (*paths, *more, *money, *told)]


def _large(scene: Scene) -> list[bytes]:
    """Readings as large as a body may be, and the longest pages of them."""
    bearer = {"Authorization": f"Bearer {scene.key}"}
    sent = [_post(INGEST, _json({"n": n, "text": "x" * 250_000}), **bearer) for n in range(4)]
    history = "/gateway/devices/bench-1/telemetry"
    asked = (f"{history}?limit=5000", f"{history}?bucket=minute&fields=n")
    return sent + [attack.request("GET", path, b"", **bearer) for path in asked]


def _pages(scene: Scene) -> list[bytes]:
    paths = ("/login/", "/register/", "/", "/devices/", "/machines/", "/api/devices/", "/nothing", "/static/none.css")
    return [attack.request("GET", path, Cookie=scene.cookie) for path in paths]


def _sign_ins(_: Scene) -> list[bytes]:
    names = [secrets.token_hex(4) for _ in range(200)]
    return [_post("/api/auth/login/", _json({"username": name, "password": "x" * 1_000})) for name in names]


def _bodies(_: Scene) -> list[bytes]:
    head = b"POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n\r\n"
    return [head + b"x" * 200_000, _post("/nothing", b"x" * 250_000)]


def _readers(_: Scene) -> list[bytes]:
    bundle = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    return [attack.request("GET", bundle) * 6]


KINDS: Final[Mapping[str, Callable[[Scene], list[bytes]]]] = {
    "names": _names,
    "keys": _keys,
    "heads": _heads,
    "values": _values,
    "refused": _refused,
    "batches": _batches,
    "strangers": _strangers,
    "figures": _figures,
    "large": _large,
    "pages": _pages,
    "sign-ins": _sign_ins,
    "bodies": _bodies,
    "readers": _readers,
}
UNREAD: Final = ("readers",)


def measure(url: str, folder: Path, say: Callable[[str], None], *, seconds: float) -> dict[str, Any]:
    """A figure: by kind what the meter and the page noticed. `worst_ms`: the highest p99 of a reading beside any kind;
    `share`: of the kinds, those beside which the promise is kept."""
    # What is to hold is the server's work for a caller, not the limits that would send him away; and strangers meet the
    # bound of those that have registered themselves, past which each makes another one leave.
    no_limits = {"LIMIT_DEVICE_WRITES": "1000000/10", "LIMIT_HANDSHAKES": "100000/10"}
    with servers.product(url, SELF_REGISTERED_DEVICES="1000", **no_limits) as server:
        scene = scene_of(server.port)
        kinds: dict[str, Any] = {}
        for kind, requests in KINDS.items():
            alone = look(scene, min(ALONE_SECONDS, seconds))
            beside, caller = beside_attack(scene, folder, requests(scene), seconds, reads=kind not in UNREAD)
            kinds[kind] = {"alone": alone, "beside": beside, "caller": caller, "kept": is_kept(alone, beside)}
            say(
                f"fairness: {kind:10} {kinds[kind]['kept']!s:5} reading p50 {beside['ingest']['p50_ms']:6.1f} "
                f"p99 {beside['ingest']['p99_ms']:7.1f} ms (alone {alone['ingest']['p99_ms']:5.1f}), "
                f"page p99 {beside['page']['p99_ms']:7.1f} ms, caller {caller['statuses']}"
            )
    worst = max(found["beside"]["ingest"]["p99_ms"] for found in kinds.values())
    kept = sum(found["kept"] for found in kinds.values()) / len(kinds)
    return {"share": kept, "worst_ms": worst, "kinds": kinds, "problems": _problems(kinds)}


def is_kept(alone: Mapping[str, Any], beside: Mapping[str, Any]) -> bool:
    p99 = beside["ingest"]["p99_ms"]
    return bool(p99 < LIMIT_MS or p99 < TIMES * alone["ingest"]["p99_ms"])


def _problems(kinds: Mapping[str, Any]) -> list[str]:
    return [
        f"{kind}: readings were answered {found['beside']['ingest']['statuses']}"
        for kind, found in kinds.items()
        if set(found["beside"]["ingest"]["statuses"]) != {"201"}
    ]


def look(scene: Scene, seconds: float, *, cookie: bool = True) -> dict[str, Any]:
    """What the meter and the person notice meanwhile."""
    arguments = ["127.0.0.1", str(scene.port), device_key(0), str(seconds), *([scene.honest_cookie] if cookie else [])]
    done = subprocess.run(
        [sys.executable, "-m", "bench.onlooker", *arguments],
        cwd=servers.ROOT, capture_output=True, text=True, timeout=seconds + 120, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def beside_attack(
    scene: Scene, folder: Path, requests: list[bytes], seconds: float, *, reads: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, and what the caller got, while those requests are sent."""
    path = folder / "attack.json"
    attack.write(path, requests, seconds=seconds, reads=reads)
    command = [sys.executable, "-m", "bench.attack", "127.0.0.1", str(scene.port), str(path)]
    with subprocess.Popen(command, cwd=servers.ROOT, stdout=subprocess.PIPE, text=True) as caller:
        found = look(scene, seconds)
        said, _ = caller.communicate(timeout=120)
    return found, json.loads(said)


def scene_of(port: int) -> Scene:
    """Two accounts, each signed in; devices 0 (honest) and 1 (the caller's) are those of bench/fleet.py."""
    return Scene(port, device_key(1), signed_in(port, "caller"), signed_in(port, "honest"))


def signed_in(port: int, name: str) -> str:
    """The session's cookie of a new account."""
    username = f"{name}-{secrets.token_hex(4)}"
    _account(port, "register", username, "a wall of meters", email=f"{username}@example.com")
    return session(port, username, "a wall of meters")


def session(port: int, username: str, password: str) -> str:
    """Its cookie, as a header has it."""
    for cookie in _account(port, "login", username, password):
        if cookie.startswith("sessionid="):
            return cookie.partition(";")[0]
    raise RuntimeError("signed in, and no session")


def _account(port: int, door: str, username: str, password: str, **more: str) -> list[str]:
    """The cookies that are set."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fields = {"username": username, "password": password, **more}
    connection.request("POST", f"/api/auth/{door}/", _json(fields), {"Content-Type": _JSON})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    if reply.status not in (200, 201):
        raise RuntimeError(f"no account for the caller: {reply.status}")
    return reply.headers.get_all("Set-Cookie", [])
