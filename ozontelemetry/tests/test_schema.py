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

from accounts.tokens import issue
from tests.doors import Door

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


def routes(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Path as the OpenAPI writes it, and view."""
    for entry in resolver.url_patterns:
        text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(entry.pattern)).strip("^$").replace("/?", "")
        path = prefix + text.replace("\\", "")
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            assert isinstance(entry, URLPattern)
            yield path, entry.callback


def test_the_generator_has_no_doubts(schema: dict[str, Any]) -> None:
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def test_every_route_of_the_urlconf_is_in_it(operations: dict[tuple[str, str], Any]) -> None:
    expected = set()
    for path, view in routes(get_resolver()):
        view_class = getattr(view, "cls", None)
        if not path.startswith(("/api/", "/gateway/")) or path in NOT_IN_IT:
            continue
        if view_class is not None and view_class.__name__ != "NothingHere":
            expected |= {(path, method) for method in METHODS if hasattr(view_class, method)}
    assert len(expected) > 15
    assert expected - set(operations) == set()


def test_every_route_of_the_front_door_is_in_it(operations: dict[tuple[str, str], Any]) -> None:
    from ozontelemetry.asgi import application

    expected = {
        (path, method.lower())
        for path, route in application._literal.items()
        for method in route.handlers
        if method != "HEAD"
    }
    assert len(expected) >= 7
    assert expected - set(operations) == set()


def test_nothing_in_it_is_made_up(operations: dict[tuple[str, str], Any]) -> None:
    there = {path.rstrip("/") for path, _ in routes(get_resolver())}
    assert {path for path, _ in operations} - there == set()


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
