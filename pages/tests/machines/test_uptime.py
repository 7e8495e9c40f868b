"""The strip of days on the pages of a machine and of an outlet."""

import re

from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from alerts.incidents.models import Incident
from pages.tests.onlooker import text
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, Site


def test_a_machine_and_its_outlet(site: Site, owner: Client) -> None:
    before = NOON - 12 * HOUR - 3 * DAY
    MachineDevice.objects.update(assigned_date=before)
    MigrationRecorder.Migration.objects.filter(app="alerts").update(applied=before)
    Incident.objects.create(
        kind="silent", subject_key="device:1", subject="CH1", machine=site.machine, since=before, opened_at=before,
        told_at=before, ended_at=before + 6 * HOUR,
    )  # fmt: skip
    for path in (f"/machines/{site.machine.pk}/logs/", f"/outlets/{site.outlet.pk}/"):
        html = owner.get(path).content.decode()
        assert "93.8 % of the last 4 days, by the incidents of its silence" in text(html)
        bars = re.findall(r'<rect[^>]* class="(\w+)"><title>([^<]+)', html)
        assert [name for name, _ in bars] == ["unknown"] * 86 + ["bad", "good", "good", "good"]
        assert bars[86][1] == f"{before:%Y-%m-%d}: 75.0 %"
