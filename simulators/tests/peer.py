"""A small server for these tests that speaks the routes a meter uses, and fails where it is told to.

It is the other end of the wire, not a stand-in for the product: the tests that use it are about what the simulated
devices do when replies get lost, and whether the verdict tells an honest server from a lying one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = bytes(range(32))
PAGE = 40  # smaller than any `limit` asked for, so that reading back has to follow `next`

Answer = tuple[int, dict[str, str], Any] | None  # status, headers, JSON; None: hang up without a reply


@dataclass
class Peer:
    """Its state. `fault(n)` is asked at the n-th ingest request (from 1) and may answer in its place.

    A fault returns `("before" | "after", answer)`: answered in place of storing, or once it has stored; or None.
    """

    fault: Callable[[int], tuple[str, Answer] | None] = lambda number: None
    dedupe: bool = False
    password: str = "password"
    lose_claims: int = 0
    port: int = 0
    devices: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    ingests: list[bytes] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    seen: set[tuple[int, str]] = field(default_factory=set)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, target: str, bearer: str, body: bytes) -> Answer:
        path, _, query = target.partition("?")
        said = json.loads(body) if body else {}
        match [method, *path.strip("/").split("/")]:
            case ["GET", "healthz"]:
                return 200, {}, {}
            case ["POST", "api", "auth", "token"]:
                if said["password"] != self.password:
                    return 401, {}, {"success": False, "message": "Invalid credentials"}
                return 200, {}, {"success": True, "data": {"access_token": "staff"}}
            case ["POST", "api", "devices"] if bearer == "staff":
                self.devices.append(said | {"encrypted": False})
                number = len(self.devices)
                self.rows[number] = []
                return 201, {}, {"id": number, "device_id": f"dev-{number}"}
            case ["POST", "gateway", "devices", number, "provision"] if bearer == "staff":
                self.devices[int(number) - 1]["encrypted"] = said.get("encryption") == "AESGCM"
                return 201, {}, {"token": f"token-{number}", "expires_at": None, "device_id": int(number)}
            case ["POST", "api", "devices", "claim"]:
                self.claims.append(said)
                if len(self.claims) <= self.lose_claims:
                    return None
                number = said["token"].removeprefix("token-")
                reply = {
                    "device_id": int(number),
                    "api_key": f"key-{number}",
                    "ingest_url": "",
                    "token_expires_at": None,
                }
                if self.devices[int(number) - 1]["encrypted"]:
                    reply["encryption_key_b64"] = base64.b64encode(KEY).decode()
                return 201, {}, reply
            case ["POST", "api", "device-data", "ingest"]:
                return self.ingest(int(bearer.removeprefix("key-")), body, said)
            case ["GET", "gateway", "devices", number, "telemetry"] if bearer == "staff":
                skip = int(query.partition("skip=")[2] or 0)
                newest_first = self.rows[int(number)][::-1]
                following = f"{self.url}{path}?skip={skip + PAGE}" if skip + PAGE < len(newest_first) else None
                results = [{"occurred_at": "", "received_at": "", "payload": row} for row in newest_first]
                return 200, {}, {"results": results[skip : skip + PAGE], "next": following}
        return 404, {}, {"detail": f"No {method} {path}.", "code": "not_found"}

    def ingest(self, device: int, body: bytes, said: Any) -> Answer:
        self.ingests.append(body)
        when, answer = self.fault(len(self.ingests)) or ("", None)
        if when == "before":
            return answer
        for reading in said if isinstance(said, list) else [said]:
            name = reading.get("nonce") or reading.get("message_id")
            if self.dedupe and name and (device, name) in self.seen:
                continue
            self.seen.add((device, name))
            if "nonce" in reading:
                nonce, ciphertext = base64.b64decode(reading["nonce"]), base64.b64decode(reading["ciphertext"])
                self.rows[device].append(json.loads(AESGCM(KEY).decrypt(nonce, ciphertext, None)))
            else:
                self.rows[device].append(reading)
        return answer if when == "after" else (201, {}, {"status": "ok"})

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, *lines = head.decode().strip().split("\r\n")
                method, target, _ = request.split(" ")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                bearer = headers.get("authorization", "").removeprefix("Bearer ")
                reply = self.answer(method, target, bearer, body)
                if reply is None:
                    break
                status, extra, content = reply
                data = json.dumps(content).encode()
                extra = {"Content-Type": "application/json", "Content-Length": str(len(data)), **extra}
                said = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{said}\r\n".encode() + data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


AnyPeer = TypeVar("AnyPeer", bound=Peer)


@contextmanager
def running(peer: AnyPeer) -> Iterator[AnyPeer]:
    """The peer listens on a free port of 127.0.0.1, in a thread of its own, until the block ends."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(peer.serve_one, "127.0.0.1", 0))
    peer.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield peer
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
