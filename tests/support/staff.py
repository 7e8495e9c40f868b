"""Staff at the API: signs in, makes devices, provisions and claims them. Plain http.client, nothing of ours."""

import http.client
import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 15.0


@dataclass(frozen=True)
class Answer:
    """A reply; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Device:
    """What a claimed device holds. `data_key`: Base64 of its AES key, where it is to encrypt."""

    pk: int
    api_key: str
    data_key: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Staff:
    """Calls the server at `url`, which may be restarted meanwhile; every call has a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._host = urlsplit(url).netloc
        self._token = ""

    def call(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        bearer: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """One request: `value` as JSON (bytes as they are), `bearer` as its key. Raises OSError where none answers."""
        named = {"Connection": "close", **(headers or {})}
        body = value
        if value is not None:
            named.setdefault("Content-Type", "application/json")
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
        if bearer is not None:
            named["Authorization"] = f"Bearer {bearer}"
        connection = http.client.HTTPConnection(self._host, timeout=timeout)
        try:
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def sign_in(self) -> str:
        """A staff access token, fetched once."""
        # Here, for a process of meters needs none of it, and would take twice as long to start.
        from tests.support.server import ADMIN, PASSWORD

        if not self._token:
            reply = self._expect(200, "POST", "/api/auth/token/", {"username": ADMIN, "password": PASSWORD})
            self._token = reply["data"]["access_token"]
        return self._token

    def new_device(self, name: str) -> int:
        """Registers a device; its integer id."""
        return int(self._expect(201, "POST", "/api/devices/", {"name": name}, bearer=self.sign_in())["id"])

    def provision(self, device: int, *, encrypted: bool = False) -> str:
        """A provisioning token for it."""
        wanted = {"encryption": "AESGCM"} if encrypted else {}
        path = f"/gateway/devices/{device}/provision"
        return str(self._expect(201, "POST", path, wanted, bearer=self.sign_in())["token"])

    def claim(self, token: str) -> Device:
        """What the device gets for its token."""
        return device_of(self._expect(201, "POST", "/api/devices/claim", {"token": token}))

    def enrol(self, count: int, *, encrypted: int = 0) -> list[Device]:
        """Devices that may send, the last `encrypted` of them under an AES key."""
        return [
            self.claim(self.provision(self.new_device(f"meter {number}"), encrypted=number >= count - encrypted))
            for number in range(count)
        ]

    def send(self, device: Device, value: Any, **more: Any) -> Answer:
        """A reading or a batch of them."""
        return self.call("POST", "/gateway/device-data/ingest", value, bearer=device.api_key, **more)

    def _expect(self, status: int, *request: Any, **more: Any) -> Any:
        answer = self.call(*request, **more)
        if answer.status != status:
            raise AssertionError(f"{request[0]} {request[1]}: {answer.status} {answer.body[:300]!r}")
        return answer.json()


def device_of(claimed: dict[str, Any]) -> Device:
    """The device of a claim's reply."""
    return Device(claimed["device_id"], claimed["api_key"], claimed.get("encryption_key_b64"))
