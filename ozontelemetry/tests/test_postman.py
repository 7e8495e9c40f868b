"""The Postman collection: its form, that nothing is missing, and that its requests work as they are."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from ozontelemetry import __version__
from ozontelemetry.openapi.describe import operations
from ozontelemetry.openapi.postman import KEPT
from tests.support.server import live_server

MODES = {"raw", "urlencoded"}


def made(**options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("postman", stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    return made()


@pytest.fixture(scope="module")
def items(collection: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for folder in collection["item"] for item in folder["item"]]


def test_its_form(collection: dict[str, Any], items: list[dict[str, Any]]) -> None:
    """What the format's own schema asks for."""
    assert set(collection) == {"info", "item", "variable"}
    assert collection["info"]["name"]
    assert collection["info"]["version"] == __version__
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert {row["key"]: row["value"] for row in collection["variable"]} == {
        "base_url": "http://localhost:8000",
        "token": "",
        "device_token": "",
    }
    assert {"devices", "device", "people", "stations"} <= {folder["name"] for folder in collection["item"]}
    for item in items:
        request, url = item["request"], item["request"]["url"]
        assert item["name"]
        assert item["response"] == []
        assert request["auth"]["type"] in ("bearer", "noauth")
        assert url["raw"].startswith("{{base_url}}/" + "/".join(url["path"]))
        assert url["host"] == ["{{base_url}}"]
        assert {step[1:] for step in url["path"] if step.startswith(":")} == {row["key"] for row in url["variable"]}
        for row in (*request["header"], *url["query"], *url["variable"]):
            assert row["key"]
            assert isinstance(row["value"], str)
        if "body" in request:
            assert request["body"]["mode"] in MODES
            assert request["body"][request["body"]["mode"]]


def test_every_operation_is_there_once(items: list[dict[str, Any]]) -> None:
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)
    expected = sorted((method.upper(), path) for path, method, _ in operations(schema["paths"]))
    found = [
        (item["request"]["method"], "/" + re.sub(r":(\w+)", r"{\1}", "/".join(item["request"]["url"]["path"])))
        for item in items
    ]
    assert len(found) > 60
    assert sorted(found) == expected


def test_another_server() -> None:
    assert made(base_url="https://ozone.example.com/")["variable"][0]["value"] == "https://ozone.example.com"


class Postman:
    """Sends requests of a collection as the program does: variables put in, secrets of replies kept."""

    def __init__(self, collection: dict[str, Any], items: list[dict[str, Any]], base_url: str) -> None:
        self.items = {
            f"{item['request']['method']} /{'/'.join(item['request']['url']['path'])}": item for item in items
        }
        self.variables = {row["key"]: row["value"] for row in collection["variable"]} | {"base_url": base_url}

    def fill(self, text: str) -> str:
        return re.sub(r"{{(\w+)}}", lambda found: self.variables[found[1]], text)

    def send(self, name: str, /, **names: str) -> httpx.Response:
        """`names` are put in the place of path variables and of `<placeholders>` in the body."""
        item = self.items[name]
        request = item["request"]
        url = self.fill(request["url"]["raw"])
        for row in request["url"]["variable"]:
            url = url.replace(f":{row['key']}", names.get(row["key"], row["value"]))
        headers = {row["key"]: self.fill(row["value"]) for row in request["header"] if not row.get("disabled")}
        if request["auth"]["type"] == "bearer":
            headers["Authorization"] = f"Bearer {self.fill(request['auth']['bearer'][0]['value'])}"
        content: Any = {}
        if "body" in request and request["body"]["mode"] == "raw":
            text = re.sub(r"<([\w-]+)>", lambda found: names.get(found[1], found[0]), request["body"]["raw"])
            content = {"content": text.encode()}
        elif "body" in request:
            content = {"data": {row["key"]: row["value"] for row in request["body"]["urlencoded"]}}
        reply = httpx.request(request["method"], url, headers=headers, **content, timeout=10)
        for event in item.get("event", []):
            [line] = event["script"]["exec"]
            found = re.fullmatch(r'pm\.collectionVariables\.set\("(\w+)", pm\.response\.json\(\)\.([\w.]+)\);', line)
            assert found
            value = reply.json()
            for step in found[2].split("."):
                value = value[step]
            self.variables[found[1]] = value
        return reply


@pytest.fixture
def postman(collection: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[Postman]:
    with live_server(DJANGO_SUPERUSER_PASSWORD="password") as server:  # as the examples have it
        yield Postman(collection, items, server.url)


@pytest.mark.real_server
def test_its_requests_work(postman: Postman) -> None:
    """A person signs in, adds a meter, provisions it; the meter claims its key, sends a reading, and reads it."""
    assert postman.send("POST /api/auth/token/").status_code == 200
    device = postman.send("POST /api/devices/").json()
    assert device["name"] == "Factory Meter 1"
    number = str(device["id"])
    token = postman.send("POST /api/devices/:name/provision/", name=number).json()["token"]
    assert postman.send("POST /gateway/devices/claim", **{"one-time-token": token}).status_code == 201
    assert postman.send("POST /gateway/device-data/ingest").json() == {"status": "ok"}
    latest = postman.send("GET /gateway/devices/:name/telemetry/latest/", name=number).json()
    assert latest["payload"] == {"voltage": 228.4, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5}


@pytest.mark.real_server
def test_an_ozone_machine(postman: Postman) -> None:
    assert postman.send("POST /api/admin/login/").status_code == 200
    assert postman.send("POST /api/handshake").json()["assigned"] is False
    assert postman.send("PATCH /api/devices/:name/", name="EC:E3:34:46:2B:C0").json()["device_id"] == "esp32-001"
    assert postman.send("POST /api/outlets/").json()["id"] == 1
    assert postman.send("POST /api/machines/register/").status_code == 201
    assert postman.send("POST /api/device/events").json() == {"ack": True, "event_id": "esp32-001-0000000123"}
    command = postman.send("POST /api/device/:device_id/commands/create/").json()["command_id"]
    assert postman.send("GET /api/device/:device_id/commands").json()["count"] == 1
    report = postman.send("POST /api/device/:device_id/commands/:command_id", command_id=command)
    assert report.json() == {"status": "updated", "command_id": command, "success": True}
    assert postman.send("GET /api/telemetry/summary/").json()["counts"] == {"basic": 124, "standard": 31, "premium": 7}


def test_secrets_are_kept_where_the_requests_are(items: list[dict[str, Any]]) -> None:
    assert sum("event" in item for item in items) == len(KEPT)
