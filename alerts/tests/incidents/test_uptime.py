"""The strip of days: what was silent is taken off, once, and what nobody knows is no good day."""

from datetime import datetime

import pytest
from django.db.migrations.recorder import MigrationRecorder

from alerts.incidents.models import Incident
from alerts.incidents.uptime import DAYS, uptime
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, Site

MIDNIGHT = NOON - 12 * HOUR


@pytest.fixture
def known(db: None) -> Site:
    """Both machines have had their devices, and the server looked, since ten days ago at midnight."""
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=MIDNIGHT - 10 * DAY)
    looked_since(MIDNIGHT - 10 * DAY)
    return site


def looked_since(at: datetime) -> None:
    MigrationRecorder.Migration.objects.filter(app="alerts", name="0001_initial").update(applied=at)


def silent(site: Site, since: datetime, ended: datetime | None, key: str = "a") -> None:
    Incident.objects.create(
        kind="silent", subject_key=f"device:{key}", subject="CH1", machine=site.machine, since=since,
        opened_at=since + HOUR, told_at=since + HOUR, ended_at=ended,
    )  # fmt: skip


def shares(*machines: int) -> list[float | None]:
    return [day.share if day.share is None else round(day.share, 4) for day in uptime(machines, NOON)]


def test_what_was_silent_is_taken_off_once(known: Site) -> None:
    silent(known, MIDNIGHT - 2 * DAY + 18 * HOUR, MIDNIGHT - DAY + 6 * HOUR)
    silent(known, MIDNIGHT - 2 * DAY + 21 * HOUR, MIDNIGHT - DAY + 3 * HOUR, "b")
    silent(known, NOON - 3 * HOUR, None, "c")
    assert shares(known.machine.pk)[-4:] == [1.0, 0.75, 0.75, 0.75]
    assert shares(known.machine.pk, known.other_machine.pk)[-4:] == [1.0, 0.875, 0.875, 0.875]


def test_what_nobody_knows(known: Site) -> None:
    found = shares(known.machine.pk)
    assert (len(found), found.index(1.0), found[:80]) == (DAYS, 79, [*[None] * 79, 1.0])
    looked_since(MIDNIGHT - 2 * DAY)
    assert shares(known.machine.pk)[-4:] == [None, 1.0, 1.0, 1.0]
    MachineDevice.objects.filter(machine=known.machine).update(assigned_date=MIDNIGHT - DAY + 12 * HOUR)
    silent(known, MIDNIGHT - DAY + 18 * HOUR, MIDNIGHT)
    assert shares(known.machine.pk)[-3:] == [None, 0.5, 1.0]
    MachineDevice.objects.all().delete()
    assert shares(known.machine.pk) == [None] * DAYS
