"""`device_gateway` in projects that know nothing of us: an app and one line of URLs are enough."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import device_gateway
from device_gateway.tests.hosts import ATOMIC, PLAIN, PORTAL
from device_gateway.urls import section_1

# The host projects have databases of their own.
pytestmark = [pytest.mark.sqlite_only, pytest.mark.thorough]

LOADED = "import gc; gc.disable(); import django; django.setup()"
"""All of it stays: to look for garbage in it takes a fifth of the time."""
SETUP = f"""
{LOADED}
from django.apps import apps
from django.core.management import call_command

if apps.is_installed("accounts"):
    call_command("makemigrations", "accounts", verbosity=0)
call_command("check", fail_level="WARNING")
call_command("migrate", "device_gateway", verbosity=0)  # as seed 000 prints it: its tables and what they point at
call_command("migrate", verbosity=0)
call_command("makemigrations", check_changes=True, dry_run=True)
"""

WALK = (
    LOADED
    + """
import json
from django.contrib.auth import get_user_model
from django.test import Client
from device_gateway.models import Device

User = get_user_model()
owner = User.objects.create_user("vera")
User.objects.create_user("mallory")
device = Device.objects.create(name="Factory Meter 1", owner=owner, location="Line A")
client = Client(enforce_csrf_checks=True, raise_request_exception=False)
found = {}


def call(name, method, path, body=None, content_type="application/json", **headers):
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    reply = client.generic(method, "/gateway/" + path, content, content_type, headers=headers)
    is_json = reply.get("Content-Type") == "application/json"
    found[name] = [reply.status_code, json.loads(reply.content) if is_json else None, reply.get("Allow")]
    return found[name][1]


client.force_login(owner)
mine = f"devices/{device.pk}"
token = call("provision", "POST", f"{mine}/provision", {"notes": "Line A ESP32"})["token"]
claimed = call("claim", "POST", "devices/claim", {"token": token, "device_metadata": {"fw": "1.0.0"}})
key = {"authorization": "Bearer " + claimed["api_key"]}
call("ingest", "POST", "device-data/ingest", {"kwh": 1, "message_id": "m"}, **key)
call("repeat", "POST", "device-data/ingest/", {"kwh": 1, "message_id": "m"}, **key)
call("batch", "POST", "device-data/ingest", [{"kwh": 2}, {"kwh": 3}], **key)
call("latest", "GET", f"{mine}/telemetry/latest")
call("latest of the device", "GET", f"{mine}/telemetry/latest/", **key)
call("history", "GET", f"{mine}/telemetry")
call("buckets", "GET", f"{mine}/telemetry?bucket=day&fields=kwh")

call("no key", "POST", "device-data/ingest", {})
call("malformed", "POST", "device-data/ingest", b"{", **key)
call("wrong type", "POST", "device-data/ingest", b"{}", "text/plain", **key)
call("too large", "POST", "device-data/ingest", b" " * 300_000, **key)
call("too large by far", "POST", "device-data/ingest", b" " * 3_000_000, **key)
call("used token", "POST", "devices/claim", {"token": token})
call("wrong method", "GET", "devices/claim")
call("wrong method of a view", "DELETE", f"{mine}/provision")
call("no such path", "GET", "nothing")
call("no such device", "GET", "devices/nobody/telemetry")
call("bad host", "POST", "devices/claim", {}, host="evil.example")
call("bad host of a view", "GET", f"{mine}/telemetry", host="evil.example")
call("bad field", "POST", f"{mine}/provision", {"lifetime_minutes": 0})
call("another site", "POST", f"{mine}/provision", {}, origin="https://evil.example")
client.force_login(User.objects.get(username="mallory"))
call("not hers", "GET", f"{mine}/telemetry")
client.logout()
call("signed out", "POST", f"{mine}/provision", {})
print(json.dumps(found))
"""
)


ITS_OWN_PAGES = (
    LOADED
    + """
import json
from django.contrib.auth import get_user_model
from django.test import Client
from accounts.models import Profile
from device_gateway.models import Device

boss = get_user_model().objects.create_superuser("boss")
Profile.objects.create(person=boss, phone="0123")
device = Device.objects.create(name="Factory Meter 2", owner=boss)
client = Client()
found = {"signed out": client.get("/accounts/profile/").status_code}
client.force_login(boss)
found["profile"] = client.get("/accounts/profile/").content.decode()
admin = "/admin/device_gateway/"
pages = ["", "device/", "device/add/", f"device/{device.pk}/change/", "provisioningtoken/", "credential/"]
for path in [*pages, "devicetelemetry/"]:
    found[path] = client.get(admin + path).status_code
fields = {"name": "Renamed", "owner": boss.pk, "location": "", "device_id": "", "mac": "", "firmware": "", "notes": ""}
found["saved"] = client.post(f"{admin}device/{device.pk}/change/", fields).status_code
device.refresh_from_db()
found["stored"] = [device.name, device.owner == boss]
print(json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a host project with its tables."""
    return set_up(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return set_up(tmp_path_factory.mktemp("portal"), PORTAL)


def set_up(folder: Path, files: Mapping[str, str]) -> Path:
    assert "No changes detected" in made_in(folder, files)("-c", SETUP)
    return folder


@pytest.fixture(params=["plain", "ATOMIC_REQUESTS", "portal"])
def project(request: pytest.FixtureRequest, tmp_path: Path, plain: Path, portal: Path) -> Any:
    """Runs Python in the folder of a host project."""
    source = portal if request.param == "portal" else plain  # whose tables are the same in a transaction
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    return made_in(tmp_path, ATOMIC if request.param == "ATOMIC_REQUESTS" else {})


def made_in(folder: Path, files: Mapping[str, str]) -> Any:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    here = Path(device_gateway.__file__).parent.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    environment |= {"DJANGO_SETTINGS_MODULE": "host_settings", "PYTHONPATH": f"{folder}{os.pathsep}{here}"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_works(project: Any) -> None:
    found = json.loads(project("-c", WALK))

    status, provisioned, _ = found["provision"]
    assert (status, provisioned) == (201, {"token": provisioned["token"], "expires_at": None, "device_id": 1})
    status, claimed, _ = found["claim"]
    assert (status, claimed) == (
        201,
        {
            "device_id": 1,
            "api_key": claimed["api_key"],
            "ingest_url": "http://testserver/gateway/device-data/ingest",
            "token_expires_at": None,
        },
    )
    assert found["ingest"] == found["repeat"] == [201, {"status": "ok"}, None]
    assert found["batch"] == [201, {"status": "ok", "accepted": 2}, None]
    for name in ("latest", "latest of the device"):
        status, latest, _ = found[name]
        assert (status, latest["device_id"], latest["payload"]) == (200, 1, {"kwh": 3})
    assert [result["payload"]["kwh"] for result in found["history"][1]["results"]] == [3, 2, 1]
    assert found["buckets"][1]["results"][0]["fields"] == {
        "kwh": {"count": 3, "min": 1, "mean": 2.0, "max": 3, "last": 3}
    }

    # The host project's own middleware refuses the Host, in its own way.
    assert found.pop("bad host")[0] == found.pop("bad host of a view")[0] == 400
    refused = {name: (status, body["code"]) for name, (status, body, _) in found.items() if status >= 400}
    assert refused == {
        "no key": (401, "bad_credential"),
        "malformed": (400, "malformed_json"),
        "wrong type": (415, "wrong_content_type"),
        "too large": (413, "body_too_large"),
        "too large by far": (413, "body_too_large"),
        "used token": (400, "invalid_token"),
        "wrong method": (405, "method_not_allowed"),
        "wrong method of a view": (405, "method_not_allowed"),
        "no such path": (404, "not_found"),
        "no such device": (404, "unknown_device"),
        "bad field": (400, "invalid"),
        "another site": (403, "cross_site"),
        "not hers": (404, "unknown_device"),
        "signed out": (401, "signed_out"),
    }
    assert found["wrong method"][2] == found["wrong method of a view"][2] == "POST"


@pytest.mark.parametrize("project", ["portal"], indirect=True)
def test_the_portals_own_pages_and_its_admin(project: Any) -> None:
    found = json.loads(project("-c", ITS_OWN_PAGES))
    assert (found.pop("signed out"), found.pop("profile")) == (302, "0123")
    assert (found.pop("saved"), found.pop("stored")) == (302, ["Renamed", True])
    assert set(found.values()) == {200}
    assert len(found) == 7


def test_the_documentation_names_what_is_served() -> None:
    served = {
        str(route.pattern).removeprefix("^").removesuffix("/?$").replace("(?P<name>[^/]+)", "<id>")
        for route in section_1
    }
    page = (Path(device_gateway.__file__).parents[1] / "docs" / "operations.md").read_text()
    section = page.partition("## The gateway in another project")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(.+?)` \|", section, re.M)) == served
