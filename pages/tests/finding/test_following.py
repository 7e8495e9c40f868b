"""The columns by which rows are found follow their texts, whoever writes them."""

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F, Model
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device, DeviceName
from device_gateway.registry.services import change_device
from ozone.intake import finding
from ozone.intake.finding import following
from ozone.intake.rows import upsert
from ozone.wire.folding import folded, order_key
from pages.tests.conftest import SignIn
from stations.models import PowerBank, Station
from telemetry.machines.bindings import add_machine, change_machine
from telemetry.models import Machine, Outlet
from telemetry.tests.conftest import EVENTS, Esp32
from tests.support.doors import Door

MODELS = [model for model in apps.get_models() if following(model)]


def rows() -> list[Model]:
    return [row for model in MODELS for row in model._default_manager.all()]


def check() -> None:
    """Each is what its text makes of it."""
    assert rows()
    for row in rows():
        for field in following(type(row)):
            text, found = getattr(row, field.source) or "", getattr(row, field.attname)
            assert (bytes(found) if field.null else found) == (order_key if field.null else folded)(text), field


def test_these_are_found() -> None:
    assert {model.__name__ for model in MODELS} == {"Device", "DeviceName", "Machine", "Outlet", "PowerBank", "Station"}


WRITERS: dict[str, Callable[[Device, Machine, Outlet], Any]] = {
    "nothing more": lambda device, machine, outlet: None,
    "change_device": lambda device, machine, outlet: change_device(
        device=device, fields={"name": "Ñ 2", "device_id": "OZ-2", "location": "É"}
    ),
    "change_machine": lambda device, machine, outlet: change_machine(machine=machine, fields={"name": "Ж 2"}),
    "change_machine with its outlet": lambda device, machine, outlet: change_machine(
        machine=machine, fields={"name": "Ж 2", "outlet": None}
    ),
    "a text alone": lambda device, machine, outlet: _save(outlet, region="ÉST"),
    "update": lambda device, machine, outlet: Outlet.objects.update(name="É 10", address="Ü"),
    "update of a device": lambda device, machine, outlet: Device.objects.update(firmware="Ω 1", location="Ж"),
    "update by a manager of its own": lambda device, machine, outlet: outlet.machines.update(name="Ж"),
    "bulk_create": lambda device, machine, outlet: Machine.objects.bulk_create([Machine(name="Ж 7")]),
    "bulk_update": lambda device, machine, outlet: Machine.objects.bulk_update([_set(machine, name="Ж 3")], ["name"]),
    "upsert": lambda device, machine, outlet: upsert(
        [Station(serial_number="S-1", wifi_ssid="CAFÉ")], unique=("serial_number",), update=("wifi_ssid",)
    ),
}


def _set(row: Any, **texts: str) -> Any:
    for name, text in texts.items():
        setattr(row, name, text)
    return row


def _save(row: Any, **texts: str) -> None:
    _set(row, **texts).save(update_fields=list(texts))


@pytest.mark.each_case
@pytest.mark.parametrize("writer", WRITERS)
def test_whoever_writes(db: None, writer: str) -> None:
    device = Device.objects.create(name="Киоск 1", mac="02:00:00:00:00:0A")
    outlet = Outlet.objects.create(name="Север")
    machine = add_machine(fields={"name": "Kabine", "outlet": outlet})
    upsert([Station(serial_number="S-1", wifi_ssid="Ж")], unique=("serial_number",), update=("wifi_ssid",))
    PowerBank.objects.create(serial_number="B-10")
    WRITERS[writer](device, machine, outlet)
    check()


def test_what_an_operator_sends(db: None, olga: User, signed_in: SignIn) -> None:
    outlet = Outlet.objects.create(name="Север")
    staff = signed_in(olga)
    reply = staff.patch(f"/api/outlets/{outlet.pk}/", {"region": "ÉST"}, content_type="application/json")
    assert reply.status_code == 200
    check()


def test_what_a_device_tells(door: Door) -> None:
    esp32 = Esp32(door)
    assert esp32.shake(firmware="Ж-1").status == 200
    check()
    esp32.enrol()
    esp32.assign()
    press = {"event_id": "one", "event": "treatment", "treatment": "BASIC", "counter": 1, "firmware": "Ж-2"}
    assert door.post(EVENTS, press, esp32.token).status == 200
    assert Device.objects.get().firmware_folded == "ж-2"
    check()


def test_a_text_that_only_the_database_knows_is_refused(db: None) -> None:
    Outlet.objects.create(name="A", region="B")
    with pytest.raises(TypeError, match="name is searched"):
        Outlet.objects.update(name=F("region"))
    check()


FILLED_BY = {"device_gateway": "0016_found", "telemetry": "0021_found", "stations": "0003_finding"}


@pytest.mark.each_case
@pytest.mark.parametrize("app", FILLED_BY)
def test_the_migration_fills_what_was_there(db: None, app: str) -> None:
    device = Device.objects.create(name="Киоск 1", mac="02:00:00:00:00:0A")
    Machine.objects.create(name="Ж", outlet=Outlet.objects.create(name="É 2", region="Ü"))
    PowerBank.objects.create(serial_number="B-10")
    Station.objects.create(serial_number="S-1", wifi_ssid="Ж")
    DeviceName.objects.create(name="FORMER", device=device)
    for model in MODELS:
        if model._meta.app_label == app:
            empty(model)
    migration = import_module(f"{app}.migrations.{FILLED_BY[app]}")
    migration.fill_all(apps, SimpleNamespace(connection=connection))
    check()


def empty(model: type[Model]) -> None:
    """As a row is that was there before these columns."""
    with connection.cursor() as cursor:
        blank = ", ".join(f"{field.column} = {'NULL' if field.null else repr('')}" for field in following(model))
        cursor.execute(f"UPDATE {model._meta.db_table} SET {blank}")


def test_filling_goes_on_where_it_was_killed(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other nodes have written meanwhile, and what is filled, is left alone; each transaction is of a few rows."""
    monkeypatch.setattr(finding, "_ROWS", 2)
    for number in range(7):
        Device.objects.create(name=f"Ж {number}", location="É", firmware="Ü")
    empty(Device)
    filled = finding._filled

    def killed(columns: Any, sources: Any, key: Any, *texts: Any) -> list[Any]:
        if "Ж 4" in texts:
            raise RuntimeError("killed")
        return filled(columns, sources, key, *texts)

    with monkeypatch.context() as patched:
        patched.setattr(finding, "_filled", killed)
        with pytest.raises(RuntimeError, match="killed"):
            finding.fill(Device, connection)
    assert [row.name for row in Device.objects.order_by("pk") if row.name_order] == [f"Ж {n}" for n in range(4)]
    Device.objects.filter(name="Ж 5").update(name="Given meanwhile", location="", firmware="")
    with CaptureQueriesContext(connection) as queries:
        finding.fill(Device, connection)
    check()
    selects = [query["sql"] for query in queries.captured_queries if query["sql"].startswith("SELECT")]
    assert len(selects) == 3, "those of the rows 4 and 5, of 6, and of none"
    with CaptureQueriesContext(connection) as queries:
        finding.fill(Device, connection)
    assert not any("UPDATE " in query["sql"].replace("FOR NO KEY UPDATE", "") for query in queries.captured_queries)
