"""The models in a shell, as docs/operations.md tells them: what can be read only, and the queries to use instead."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import models

from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, DeviceState, DeviceTelemetry
from telemetry.commands.services import create
from telemetry.models import Command, DeviceStatus, Machine, Outlet, TelemetryEvent
from telemetry.tests.cast import NOON, Site, press

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
MODELS = {model.__name__: model for model in (Command, Device, DeviceStatus, Machine, Outlet, TelemetryEvent)}
SECTION = PAGE.read_text(encoding="utf-8").split("## The models in a shell")[1].split("\n## ")[0]
QUERIES = re.findall(r"`((?:\w+)\.objects\.filter\([^`]+\))`", SECTION)
READ_ONLY = re.findall(r"^\| `(.+)` \| Read only", SECTION, re.MULTILINE)


@pytest.fixture
def told(site: Site) -> Site:
    """A device that each of the queries finds, and one that none finds."""
    device = site.device
    device.mac = "EC:E3:34:46:2B:C0"
    device.save()
    press(device, NOON)
    DeviceTelemetry.objects.create(device=device, occurred_at=NOON, received_at=NOON, payload={"kwh": 1200})
    DeviceState.objects.filter(device=device).update(last_seen=NOON, last_poll=NOON, latest_payload={"kwh": 1200})
    set_key(device=device, key="k" * 40, source=Credential.Source.ADMIN, now=NOON)
    fields = {"command_type": "GET_STATUS", "expires_in_hours": 1}
    create(device=device, fields=fields, author=None, now=NOON)
    site.machine.name, site.outlet.name = "CH1/027/2024", "Chai Chee"
    return site


@pytest.mark.each_case
@pytest.mark.parametrize("query", QUERIES)
def test_the_query_finds_it(told: Site, query: str) -> None:
    query = re.sub(r"pk=1\b", f"pk={told.machine.pk if query.startswith('Machine') else told.outlet.pk}", query)
    found = eval(query, {**MODELS, "since": NOON - timedelta(minutes=1)})
    mine = {Device: told.device, Machine: told.machine, Outlet: told.outlet}
    rows = list(found)
    assert len(rows) == 1
    row: Any = rows[0]
    assert row == mine[type(row)] if type(row) in mine else row.device == told.device


@pytest.mark.parametrize("names", READ_ONLY)
@pytest.mark.alike
def test_what_can_only_be_read(told: Site, names: str) -> None:
    for dotted in names.split("`, `"):
        name, _, field = dotted.partition(".")
        model: type[models.Model] = MODELS[name]
        row = model._default_manager.order_by("pk")[0]
        getattr(row, field)
        with pytest.raises(FieldError):
            list(model._default_manager.filter(**{field: "1"}))
        with pytest.raises(AttributeError):
            setattr(row, field, "1")


def test_numbers(told: Site) -> None:
    event, status = TelemetryEvent.objects.get(), DeviceStatus.objects.get(device=told.device)
    assert (event.device_id, status.device_id) == (told.device.pk, told.device.pk)
    assert (len(QUERIES), len(READ_ONLY)) == (12, 7)
