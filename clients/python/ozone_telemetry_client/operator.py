"""Ten calls for the scripts of operators."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import httpx


class Refused(RuntimeError):
    """The server refused a call: its status, its code and its sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class Operator:
    """Signed in as a person. Objects are as the server's API documents them (docs/api.md), times as text in UTC.

    Every call raises Refused, or httpx.HTTPError when no answer came.
    """

    def __init__(self, url: str, username: str, password: str, *, verify: Any = True, timeout: float = 30.0) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/"), verify=verify, timeout=timeout)
        self._credentials = {"username": username, "password": password}
        self._sign_in()

    def devices(self, *, limit: int | None = None, offset: int = 0) -> list[dict[str, Any]]:
        """All that this person may see."""
        query: dict[str, Any] = {"offset": offset} | ({} if limit is None else {"limit": limit})
        return list(self._call("GET", "/api/devices/", params=query)["devices"])

    def device(self, device_id: str) -> dict[str, Any]:
        return dict(self._call("GET", f"/api/devices/{device_id}/"))

    def change_device(self, device_id: str, **fields: Any) -> dict[str, Any]:
        """`name`, `location`, `notes`, `owner`, `assigned`, `device_id`; the device as it is then."""
        return dict(self._call("PATCH", f"/api/devices/{device_id}/", json=fields))

    def machines(self, *, outlet_id: int | None = None) -> list[dict[str, Any]]:
        return list(self._call("GET", "/api/machines/", params={} if outlet_id is None else {"outlet_id": outlet_id}))

    def command(self, device_id: str, command_type: str, **more: Any) -> str:
        """The command_id. `payload`, `priority`, `description`, `expires_in_hours`, `force`."""
        body = {"command_type": command_type, **more}
        return str(self._call("POST", f"/api/device/{device_id}/commands/create/", json=body)["command_id"])

    def commands(self, device_ids: Sequence[str], command_type: str, **more: Any) -> dict[str, Any]:
        """One for each of at most 1,000 devices: `created_commands`, `failed_devices`."""
        body = {"command_type": command_type, "device_ids": list(device_ids), **more}
        return dict(self._call("POST", "/api/commands/bulk/", json=body))

    def command_status(self, device_id: str) -> dict[str, Any]:
        """`stats` by state, and the ten `recent_commands`."""
        return dict(self._call("GET", f"/api/device/{device_id}/commands/status/"))

    def events(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Newest first, all of them. Filters are those of `/api/events/`: `device_id`, `days`, `start`, `end`."""
        response = self._send("GET", "/api/events/", params={"limit": 1000, **filters})
        while True:
            yield from response.json()
            following = response.links.get("next", {}).get("url")
            if following is None:
                return
            response = self._send("GET", following)

    def readings(self, device_id: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Page by page: `start`, `end`; each has `occurred_at`, `received_at`, `payload`."""
        page = self._call("GET", f"/api/devices/{device_id}/telemetry", params={"limit": 5000, **filters})
        while True:
            yield from page["results"]
            if page["next"] is None:
                return
            page = self._call("GET", page["next"])

    def statistics(self, **filters: Any) -> dict[str, Any]:
        """`labels`, `series`, `kpi`. Filters are those of `/api/stats/`: `outlet_id`, `granularity`, `days`."""
        return dict(self._call("GET", "/api/stats/", params=filters))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _call(self, method: str, path: str, **more: Any) -> Any:
        return self._send(method, path, **more).json()

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        response = self._http.request(method, path, **more)
        if response.status_code == 401:  # a token lives an hour
            self._sign_in()
            response = self._http.request(method, path, **more)
        return _good(response)

    def _sign_in(self) -> None:
        response = _good(self._http.post("/api/auth/token/", json=self._credentials))
        self._http.headers["Authorization"] = f"Bearer {response.json()['data']['access_token']}"


def _good(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        body = response.json()
    except ValueError:
        body = {}
    told = body if isinstance(body, dict) else {}
    raise Refused(response.status_code, str(told.get("code", "")), str(told.get("detail") or response.reason_phrase))
