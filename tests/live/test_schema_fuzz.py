"""Every operation of the OpenAPI, with valid and invalid requests made up by schemathesis, against a running server.

Whatever is sent: never a 5xx, and always a reply that the schema describes: its status, type, headers and body.
The requests are the same in every run; those of `make nightly` are many more.
"""

import base64
import hashlib
import hmac
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from itertools import count
from typing import Any, Final

import pytest
import requests
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.length import length
from tests.support.server import live_server
from tests.support.staff import Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

SECRET: Final = "a secret of the partner's system, long enough"
SLOW: Final = ["/api/auth/login/", "/api/auth/token/", "/api/auth/register/", "/api/admin/login/"]
"""Each request hashes a password, which takes as long as it should."""
STATION: Final = "864601069946994"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What the limits answer is written in the schema as well, but a request that met one has tested nothing else.
NO_LIMITS: Final[dict[str, Any]] = dict.fromkeys(
    (
        "LIMIT_PERSON_CALLS",
        "LIMIT_FAILED_CLAIMS",
        "LIMIT_HANDSHAKES",
        "LIMIT_LEGACY",
        "LIMIT_REGISTRATIONS",
        "LIMIT_SIGN_IN_ADDRESS",
        "LIMIT_SIGN_IN_PAIR",
    ),
    "1000000/1",
)

_numbers: "count[int]" = count(1)


def described() -> Any:
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    schema.config.generation.update(deterministic=True)
    schema.config.phases.coverage.unexpected_methods = set()  # test_scoping asks for those
    return schema


def some(examples: int) -> Any:
    """As many requests beside those at the limits of each field; no example of a run is kept for the next."""
    return settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


everything = described().exclude(path=SLOW).exclude(path_regex="^/(gateway|api/test)/")  # the same views again
sign_in = described().include(path=SLOW)
sign_in.config.phases.update(phases=["examples", "fuzzing"])


class Signed(requests.auth.AuthBase):
    """Signs the body that is really sent, as the partner's connector does."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sent: Any = request.body or b""
        body: bytes = sent.encode() if isinstance(sent, str) else sent
        timestamp = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), body + timestamp.encode(), hashlib.sha256).digest()
        request.headers["X-Timestamp"] = timestamp
        request.headers["X-Signature"] = base64.b64encode(digest).decode()
        return request


@dataclass(frozen=True)
class Site:
    """Things to name in requests. `names` has them by parameter; `numbers`, what `{number}` is, by the path's start."""

    url: str
    staff: str
    key: str
    names: dict[str, Any]
    numbers: dict[str, int]

    @classmethod
    def make(cls, url: str, staff: Staff) -> "Site":
        number = next(_numbers)
        name, mac = f"fuzzed-{number}", f"02:00:00:00:{number // 256:02X}:{number % 256:02X}"
        token = staff.sign_in()

        def ask(method: str, path: str, value: Any = None, bearer: str = token) -> Any:
            answer = staff.call(method, path, value, bearer=bearer)
            assert answer.status in (200, 201, 400), answer
            return answer.json()

        device = ask("POST", "/api/devices/", {"name": "Fuzzed", "device_id": name, "mac": mac})["id"]
        key = staff.claim(staff.provision(device)).api_key
        outlet = ask("POST", "/api/outlets/", {"name": "Fuzzed"})["id"]
        machine = ask("POST", "/api/machines/register/", {"device_id": name, "outlet_id": outlet})["id"]
        ask("POST", "/api/device-data/ingest", {"kwh": 1}, key)
        press = {"event_id": "e-1", "event": "treatment", "treatment": "BASIC", "counter": 1}
        for event in (press, {**press, "event_id": "e-2", "counter": -1}):
            ask("POST", "/api/device/events/", event, key)
        command = ask("POST", f"/api/device/{name}/commands/create/", {"command_type": "GET_STATUS"})["command_id"]
        ask("GET", f"/api/device/{name}/commands/", None, key)
        quarantined = ask("GET", f"/api/devices/{name}/quarantine/")["quarantined"][0]["id"]
        names = {
            "name": name,
            "device_id": name,
            "command_id": command,
            "machine_id": machine,
            "outlet_id": outlet,
            "outlet": outlet,
            "serial": STATION,
            "token": staff.provision(device),
        }
        numbers = {
            "/api/outlets/": outlet,
            "/api/machines/": machine,
            "/api/events/": ask("GET", f"/api/events/?device_id={name}")[0]["id"],
            "/api/devices/": quarantined,
        }
        return cls(url, token, key, names, numbers)

    def place(self, case: Any) -> None:
        """Puts real things into three of four requests; the fourth keeps what schemathesis thought of."""
        if zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 4 == 0:
            return
        for values in (case.path_parameters, case.query, case.body):
            if isinstance(values, dict):
                values |= {name: thing for name, thing in self.names.items() if name in values}
                if "number" in values:
                    known = (number for path, number in self.numbers.items() if case.path.startswith(path))
                    values["number"] = next(known, values["number"])


@pytest.fixture(scope="module")
def staff() -> Iterator[Staff]:
    with live_server(production=True, IOT_SYSTEM_SIGNATURE_SECRET=SECRET, **NO_LIMITS) as server:
        staff = Staff(server.url)
        device = {"serial_number": STATION, "status": "ONLINE", "last_heartbeat": "2025-10-27T14:30:00Z"}
        full: Any = {"type": "full", "device": device, "station": {"total_slots": 1}}
        address = f"{server.url}/api/internal/stations/data"
        bearer = {"Authorization": f"Bearer {staff.sign_in()}"}
        assert requests.post(address, json=full, headers=bearer, auth=Signed(), timeout=10).status_code == 200
        yield staff


@pytest.fixture(scope="module")
def read(staff: Staff) -> Site:
    """For operations that change nothing."""
    return Site.make(staff.url, staff)


@cache
def _session() -> requests.Session:
    """One connection, no cookies, and nothing of the environment, in which each request alone would look anew."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def check(case: Any, site: Site) -> None:
    site.place(case)
    if re.fullmatch(r"[0-9.]+", str((case.query or {}).get("wait"))):
        case.query["wait"] = 0.01  # a held poll is held
    keys = case.operation.definition.raw.get("security") or [{}]
    bearer = site.key if any("deviceKey" in key for key in keys) else site.staff
    case.call_and_validate(
        base_url=site.url,
        headers={"Authorization": f"Bearer {bearer}"},
        auth=Signed() if case.path.startswith("/api/internal/stations/") else None,
        session=_session(),
        checks=CHECKS,
    )


@everything.include(method="GET").parametrize()
@some(length(3, 100))
def test_reading(case: Any, read: Site) -> None:
    check(case, read)


@pytest.fixture
def written(staff: Staff) -> Site:
    """For one operation alone: its requests may archive or rename the device, or take its key."""
    return Site.make(staff.url, staff)


@everything.exclude(method="GET").parametrize()
@some(length(3, 100))
def test_writing(case: Any, written: Site) -> None:
    check(case, written)


@sign_in.parametrize()
@some(length(2, 20))
def test_signing_in(case: Any, read: Site) -> None:
    check(case, read)
