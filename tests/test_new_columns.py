"""A column that is new in a table of devices' data stops nobody; where it does, no device throws its data away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from device_gateway import states
from device_gateway.models import Device, DeviceTelemetry
from device_gateway.readings import storing as readings
from device_gateway.tests.conftest import INGEST, Meter, equip
from ozone.intake.sql import BulkInsert
from telemetry.events import storing as events
from telemetry.figures import rollups
from telemetry.models import TelemetryEvent
from telemetry.statuses import storing as statuses
from telemetry.tests.conftest import EVENTS, Esp32
from tests.support.doors import Answer, Door

HOT = {
    f"{module.__name__}.{name}": value
    for module in (readings, events, rollups, states, statuses)
    for name, value in vars(module).items()
    if isinstance(value, BulkInsert)
}
PRESS = {"event_id": "one", "event": "treatment", "treatment": "BASIC", "counter": 1}


@pytest.fixture
def meter(write_path: None) -> Meter:
    return equip(Device.objects.create(name="Factory Meter 1"))


@pytest.fixture
def esp32(door: Door) -> Esp32:
    machine = Esp32(door)
    machine.enrol()
    machine.assign()
    return machine


@contextmanager
def column(model: type[models.Model], field: "models.Field[Any, Any]", *, is_known: bool) -> Iterator[None]:
    """The table has one more column, `extra`; `is_known`: the code's model, too."""
    if is_known:
        field.contribute_to_class(model, "extra")
    else:
        field.set_attributes_from_name("extra")
        field.model = model
    with connection.schema_editor() as editor:
        editor.add_field(model, field)
    try:
        yield
    finally:
        if is_known:
            model._meta.local_fields.remove(field)
            del model.extra  # type: ignore[attr-defined]
            model._meta._expire_cache()  # type: ignore[attr-defined]
            apps.clear_cache()
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} DROP COLUMN extra")


def extras(model: type[models.Model]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT extra FROM {model._meta.db_table}")
        return [extra for (extra,) in cursor.fetchall()]


def anew(insert: BulkInsert) -> BulkInsert:
    """The statement as a process that starts now makes it."""
    return BulkInsert(insert._model, insert._fields, insert._conflict, insert._returning)


def send_readings(door: Door, meter: Meter) -> list[Answer]:
    return [door.post(INGEST, reading, meter.key) for reading in ({"kwh": 1}, [{"kwh": 2, "message_id": "m"}])]


@pytest.mark.parametrize("is_known", [False, True])
class TestWithADefault:
    """The database's own serves a process that knows nothing of it, too."""

    def test_of_readings(self, door: Door, meter: Meter, is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        with column(DeviceTelemetry, models.IntegerField(default=7, db_default=7), is_known=is_known):
            for name in ("_insert", "_insert_plain", "_insert_once"):
                monkeypatch.setattr(readings, name, anew(getattr(readings, name)))
            assert [answer.status for answer in send_readings(door, meter)] == [201, 201]
            assert extras(DeviceTelemetry) == [7, 7]

    def test_of_events(self, door: Door, esp32: Esp32, is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        with column(TelemetryEvent, models.IntegerField(default=7, db_default=7), is_known=is_known):
            monkeypatch.setattr(events, "_insert", anew(events._insert))
            assert door.post(EVENTS, PRESS, esp32.token).status == 200
            assert extras(TelemetryEvent) == [7]


class TestWithDjangosDefaultOnly:
    def test_of_readings(self, door: Door, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
        with column(DeviceTelemetry, models.IntegerField(default=7), is_known=True):
            for name in ("_insert", "_insert_plain", "_insert_once"):
                monkeypatch.setattr(readings, name, anew(getattr(readings, name)))
            assert [answer.status for answer in send_readings(door, meter)] == [201, 201]
            assert extras(DeviceTelemetry) == [7, 7]

    def test_of_events(self, door: Door, esp32: Esp32, monkeypatch: pytest.MonkeyPatch) -> None:
        with column(TelemetryEvent, models.IntegerField(default=7), is_known=True):
            monkeypatch.setattr(events, "_insert", anew(events._insert))
            assert door.post(EVENTS, PRESS, esp32.token).status == 200
            assert extras(TelemetryEvent) == [7]

    def test_an_older_process_refuses_readings_for_now(self, door: Door, meter: Meter) -> None:
        with column(DeviceTelemetry, models.IntegerField(default=7), is_known=False):
            answers = send_readings(door, meter)
            assert [(answer.status, answer.json()["code"]) for answer in answers] == [(503, "unavailable")] * 2
            assert extras(DeviceTelemetry) == []
        assert [answer.status for answer in send_readings(door, meter)] == [201, 201]

    def test_an_older_process_refuses_events_for_now(self, door: Door, esp32: Esp32) -> None:
        with column(TelemetryEvent, models.IntegerField(default=7), is_known=False):
            answer = door.post(EVENTS, PRESS, esp32.token)
            assert (answer.status, answer.json()["code"]) == (503, "unavailable")
            assert extras(TelemetryEvent) == []
        assert door.post(EVENTS, PRESS, esp32.token).status == 200


@pytest.mark.each_case
@pytest.mark.parametrize("name", HOT)
def test_no_statement_needs_the_models_defaults(name: str) -> None:
    """A column that a statement does not name has its default in the database (`db_default`): else a process of the
    version before would refuse what devices send, while another one has run the migration.
    """
    assert HOT[name]._defaults == []
