"""The OpenAPI: every route of the URLconf and of the front door, without a doubt of the generator's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

import device_gateway.routes
import telemetry.device_side.routes
from ozone.accounts.tokens import issue
from ozone.webapi.view import NothingHere
from ozontelemetry import health
from ozontelemetry.openapi.examples import EXAMPLES
from tests.support.doors import Door

pytestmark = pytest.mark.both_doors

METHODS = {"get", "post", "put", "patch", "delete"}
NOT_IN_IT = {"/api/schema", "/api/docs", "/gateway/device-tokens"}
"""The description itself, and a page."""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generator: Any = SchemaGenerator
    found: dict[str, Any] = generator().get_schema(request=None, public=True)
    return found


@pytest.fixture(scope="module")
def operations(schema: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """By path without its slash and method."""
    return {
        (path.rstrip("/"), method): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def named(pattern: str) -> str:
    """The groups of a pattern as the OpenAPI writes them."""
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern)


def routes(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Path as the OpenAPI writes it, and view."""
    for entry in resolver.url_patterns:
        text = named(str(entry.pattern)).strip("^$").replace("/?", "")
        path = prefix + text.replace("\\", "")
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            assert isinstance(entry, URLPattern)
            yield path, entry.callback


def test_the_generator_has_no_doubts(schema: dict[str, Any]) -> None:
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def served() -> set[tuple[str, str]]:
    """Every path and method that answers JSON (or CSV, or figures): the views' own, and the device routes'."""
    doors = [*device_gateway.routes.ROUTES, *telemetry.device_side.routes.ROUTES, *health.ROUTES]
    found = {
        (named(f"/{path}"), method.lower()) for path, route in doors for method in route.handlers if method != "HEAD"
    }
    for path, view in routes(get_resolver()):
        view_class = getattr(view, "cls", None)
        if view_class is not None and path not in NOT_IN_IT and not issubclass(view_class, NothingHere):
            found |= {(path, method) for method in METHODS if hasattr(view_class, method)}
    return found


def test_it_has_what_is_served_and_nothing_else(operations: dict[tuple[str, str], Any]) -> None:
    assert len(served()) > 70
    assert served() - set(operations) == set(), "served, and not described"
    assert set(operations) - served() == set(), "described, and not served"


def test_every_operation_says_what_it_is_for(operations: dict[tuple[str, str], Any]) -> None:
    """A summary, what it takes and answers, each with words or a schema; who may call it; how it refuses."""
    for place, operation in operations.items():
        responses = operation["responses"]
        assert operation["summary"], place
        assert operation["tags"] != ["api"], place
        good = [status for status in responses if status.startswith("2")]
        assert good and {"400", "405"} <= set(responses), place
        for status, response in responses.items():
            assert response["description"] or status in (*good, "304"), (place, status)
            if status not in ("204", "304"):
                assert all(content["schema"] for content in response["content"].values()), (place, status)
                assert response["content"], (place, status)
        for status, header in (("405", "Allow"), ("429", "Retry-After"), ("503", "Retry-After")):
            assert header in responses.get(status, {"headers": [header]})["headers"], place
        if "requestBody" in operation:
            assert {"408", "413", "415"} <= set(responses), place
            for content in operation["requestBody"]["content"].values():
                assert "example" in content, (place, "wants an example in ozontelemetry/openapi/examples.py")


def test_who_may_call_is_said(operations: dict[tuple[str, str], Any]) -> None:
    """Whatever is without a credential is meant to be."""
    open_to_all = {path for (path, _), operation in operations.items() if {} in (operation.get("security") or [{}])}
    assert open_to_all == {
        "/api/handshake",
        "/api/iot",
        "/api/devices/claim",
        "/gateway/devices/claim",
        "/api/admin/login",
        "/api/admin/refresh",
        "/api/auth/check",
        "/api/auth/login",
        "/api/auth/logout",
        "/api/auth/register",
        "/api/auth/token",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for place, operation in operations.items():
        assert place[0] in open_to_all or "401" in operation["responses"], place


def test_no_example_is_left_over(operations: dict[tuple[str, str], Any]) -> None:
    taking = {
        f"{method.upper()} {path}" for (path, method), operation in operations.items() if "requestBody" in operation
    }
    assert set(EXAMPLES) - taking == set()


def test_operations_have_names_of_their_own(operations: dict[tuple[str, str], Any]) -> None:
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if re.search(r"_\d+$", name)]


def test_what_it_says_of_a_few(schema: dict[str, Any], operations: dict[tuple[str, str], Any]) -> None:
    for mount in ("api", "gateway"):
        provision = operations[f"/{mount}/devices/{{name}}/provision", "post"]
        assert {"201", "400", "401", "403", "404"} <= set(provision["responses"])
        latest = operations[f"/{mount}/devices/{{name}}/telemetry/latest", "get"]
        assert latest["security"] == [{"deviceKeyOrAccessToken": []}, {"session": []}]
        ingest = operations[f"/{mount}/device-data/ingest", "post"]
        assert ingest["security"] == [{"deviceKey": []}]
        assert {"201", "400", "401", "403", "408", "413", "415", "429", "503"} <= set(ingest["responses"])
    assert {"accessToken", "session", "deviceKey", "deviceKeyOrAccessToken"} <= set(
        schema["components"]["securitySchemes"]
    )


@pytest.mark.parametrize("name", ["NewUser", "Person"])
def test_a_person_without_an_address_is_as_it_says(schema: dict[str, Any], name: str) -> None:
    """Theirs is told as "", which is no e-mail address."""
    email = schema["components"]["schemas"][name]["properties"]["email"]
    assert email["type"] == "string"
    assert "format" not in email


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(schema)))
    assert references
    assert references - set(schema["components"]["schemas"]) == set()


class TestWho:
    @pytest.mark.parametrize("path", ["/api/schema", "/api/schema/", "/api/docs", "/api/docs/"])
    def test_signed_in_in_production(self, door: Door, path: str, settings: Settings) -> None:
        answer = door.send("GET", path)
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/json"
        vera = User.objects.create_user("vera")
        assert (
            door.send("GET", path, headers={"Authorization": f"Bearer {issue(vera, as_staff=False)[0]}"}).status == 200
        )
        client = Client()
        client.force_login(vera)
        cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
        assert door.send("GET", path, headers=cookie).status == 200
        settings.DEBUG = True
        assert door.send("GET", path).status == 200
