"""The person behind a simulated fleet: makes devices, provisions and claims them, and reads back what was stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from simulators.client import Endpoint, retry_delay

PATIENCE = 60.0  # seconds that one call is tried again before the run is given up
READ_TIMEOUT = 30.0  # a page of 5,000 readings takes a busy server longer than the 5 s of a device
CLAIM_TIMEOUT = 5.0
PAGE = 5000
CALLS_AT_ONCE = 8

T = TypeVar("T")


class SimulationError(Exception):
    """The run cannot go on. Its text is a sentence that says what to do."""


class Staff:
    """An HTTP session signed in with an access token. Use as `async with`; it talks to one endpoint only."""

    def __init__(self, endpoint: Endpoint, username: str, password: str) -> None:
        self._endpoint = endpoint
        self._username = username
        self._password = password
        self._access_token = ""
        # trust_env: a proxy named in the environment must not see traffic meant for this machine.
        self._http = httpx.AsyncClient(
            timeout=READ_TIMEOUT, trust_env=False, verify=endpoint.tls or True, limits=httpx.Limits(max_connections=16)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def check_server(self) -> None:
        """Raises SimulationError unless a healthy server answers at the endpoint."""
        try:
            reply = await self._http.get(f"{self._endpoint.origin}{self._endpoint.prefix}/healthz", timeout=5.0)
        except httpx.TransportError as error:
            raise SimulationError(
                f"No server answers at {self._endpoint.origin} ({str(error) or type(error).__name__}). "
                "Start it first, or name another with --url."
            ) from error
        if reply.status_code != 200:
            raise SimulationError(
                f"Something answers at {self._endpoint.origin}, but /healthz gives {sentence(reply)} "
                "Is it this project's server, and does it accept this host name?"
            )

    @property
    def access_token(self) -> str:
        """The token of the last sign-in; "" before it."""
        return self._access_token

    async def sign_in(self, door: str = "/api/auth/token/") -> None:
        """Fetch an access token. Raises SimulationError when the account is refused."""
        credentials = {"username": self._username, "password": self._password}
        reply = await self._persist("POST", door, json=credentials)
        if reply.status_code != 200:
            raise SimulationError(
                f"The server refuses to sign in {self._username!r}: {sentence(reply)} Name a staff account with "
                "--username and --password (or SIMULATE_PASSWORD), or make one with manage.py createsuperuser."
            )
        self._access_token = str(field(reply, "data", "access_token"))

    async def create_device(self, name: str, location: str) -> int:
        """Register a device and return its integer id. (A lost reply may leave one more that stays unused.)"""
        reply = await self.call("POST", "/api/devices/", json={"name": name, "location": location})
        if reply.status_code != 201:
            raise SimulationError(
                f"{self._username!r} could not create a device: {sentence(reply)} It takes a staff account."
            )
        return int(field(reply, "id"))

    async def provision(self, device_id: int, *, encrypted: bool) -> str:
        """Issue a provisioning token for the device and return it."""
        body = {"encryption": "AESGCM"} if encrypted else {}
        reply = await self.call("POST", f"/gateway/devices/{device_id}/provision", json=body)
        if reply.status_code != 201:
            raise SimulationError(f"Device {device_id} could not be provisioned: {sentence(reply)}")
        return str(field(reply, "token"))

    async def claim(self, token: str, metadata: dict[str, str]) -> dict[str, Any]:
        """Claim as a device does, without an account; a lost reply is asked for again with the same token."""
        body = {"token": token, "device_metadata": metadata}
        reply = await self._persist("POST", "/api/devices/claim", json=body, timeout=CLAIM_TIMEOUT)
        if reply.status_code not in (200, 201):
            raise SimulationError(f"A claim was refused: {sentence(reply)}")
        field(reply, "api_key")
        answer: dict[str, Any] = reply.json()
        return answer

    async def history(self, device_id: int) -> AsyncIterator[list[dict[str, Any]]]:
        """The stored readings of a device, a page at a time, newest first.

        Every run makes its own devices, so a device's whole history is the run's: no `start` is asked for, which a
        server with another clock could understand otherwise.
        """
        path = f"/gateway/devices/{device_id}/telemetry?limit={PAGE}"
        async for page in self.pages(path, f"The history of device {device_id}"):
            yield page

    async def pages(self, first: str, what: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The `results` of a list, a page at a time. Raises SimulationError that `what` could not be read."""
        path: str | None = first
        while path:
            reply = await self.call("GET", path.removeprefix(self._endpoint.prefix))
            if reply.status_code != 200:
                raise SimulationError(f"{what} could not be read: {sentence(reply)}")
            yield field(reply, "results")
            following = field(reply, "next")
            # Only the path of `next` is used: the access token goes nowhere but to the endpoint.
            path = httpx.URL(following).raw_path.decode("ascii") if following else None

    async def call(self, method: str, path: str, json: object = None) -> httpx.Response:
        """A call with the access token; on a 401 (it lives 60 minutes) signs in again and asks once more.

        A lost connection, a time-out, 429 and 5xx are tried again for PATIENCE seconds, so a write whose reply got
        lost may have been done already. Raises SimulationError when the patience is over.
        """
        reply = await self._persist(method, path, json=json, bearer=self._access_token)
        if reply.status_code == 401:
            await self.sign_in()
            reply = await self._persist(method, path, json=json, bearer=self._access_token)
        return reply

    async def _persist(
        self, method: str, path: str, *, json: object = None, bearer: str = "", timeout: float = READ_TIMEOUT
    ) -> httpx.Response:
        """One call, tried again on a lost connection, a time-out, 429 and 5xx, for PATIENCE seconds."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        give_up_at = time.monotonic() + PATIENCE
        attempt = 0
        while True:
            attempt += 1
            wait = retry_delay(attempt)
            try:
                url = f"{self._endpoint.origin}{self._endpoint.prefix}{path}"
                reply = await self._http.request(method, url, json=json, headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                problem = f"{str(error) or type(error).__name__}."
            else:
                if reply.status_code != 429 and reply.status_code < 500:
                    return reply
                problem = sentence(reply)
                wait = retry_delay(attempt, reply.headers.get("retry-after"))
            if time.monotonic() + wait > give_up_at:
                raise SimulationError(f"{method} {path.partition('?')[0]} failed {attempt} times, at last: {problem}")
            await asyncio.sleep(wait)


async def some_at_once(work: Iterable[Coroutine[Any, Any, T]], at_once: int = CALLS_AT_ONCE) -> list[T]:
    """The results of all, so many at a time. The first that fails ends the others; its exception is raised."""
    gate = asyncio.Semaphore(at_once)

    async def gated(one: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await one

    tasks = [asyncio.ensure_future(gated(one)) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def sentence(reply: httpx.Response) -> str:
    """What the server says about its refusal, after the status: `403 not_staff: Only staff may do this.`"""
    return explain(reply.status_code, reply.content)


def explain(status: int, body: bytes) -> str:
    """The status, code and sentence of an error reply; of a body in no known shape the status alone."""
    try:
        answer = httpx.Response(status, content=body).json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return f"{status}."
    word = answer.get("code") or answer.get("error")  # the station API has a shape of its own
    code = f" {word}" if word else ""
    text = answer.get("detail") or answer.get("message") or "no reason given"
    return f"{status}{code}: {str(text).rstrip('.')}."


def field(reply: httpx.Response, *path: str) -> Any:
    """A member of a JSON reply by its path of names. Raises SimulationError when the reply has none such."""
    try:
        value = reply.json()
        for name in path:
            value = value[name]
    except (ValueError, KeyError, TypeError):
        raise SimulationError(
            f"The reply of {reply.request.method} {reply.request.url.path} has no {'.'.join(path)!r}: "
            "is it this project's server?"
        ) from None
    return value
