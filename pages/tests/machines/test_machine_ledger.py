"""/machines/<id>/ledger/: its lines and epochs, and settling one."""

import re

from django.db import connection
from django.test import Client

from ledger.models import Line
from telemetry.events.storing import store_once
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event


def tell(site: Site, *numbers: int) -> None:
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    for place, number in enumerate(numbers):
        store_once(connection, [event(site.device, NOON + place * HOUR, counter=number)])


def rows(client: Client, path: str, name: str) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200
    found = re.search(rf'<tbody data-list="{name}">(.*?)</tbody>', answer.content.decode(), re.DOTALL)
    assert found
    return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in re.findall("<tr.*?</tr>", found[1], re.DOTALL)]


def kinds(client: Client, path: str) -> str:
    """What the words in the lines mean, below them."""
    return (
        " ".join(re.sub("<[^>]+>", " ", client.get(path).content.decode()).split())
        .replace(" :", ":")
        .replace(" ;", ";")
    )


def test_it_works(site: Site, staff: Client) -> None:
    tell(site, 57, 60, 60)
    path = f"/machines/{site.machine.pk}/ledger/"
    lines = rows(staff, path, "lines")
    assert lines == [
        "60 basic twice 1 2026-03-01 14:00 — Settle",
        "58–59 basic missing 2 2026-03-01 13:00 — Settle",
    ]
    assert "missing: no press was told; twice: one number, two presses." in kinds(staff, path)
    (epoch,) = rows(staff, path, "epochs")
    assert epoch.startswith("basic its first press ") and epoch.endswith("goes on esp32-001 56&nbsp;→&nbsp;60 4 3 3")
    missing = Line.objects.get(kind="missing")
    answer = staff.post(f"{path}{missing.pk}/settle/", {"reason": "counted", "count": "1", "note": "The till's roll"})
    assert (answer.status_code, answer.headers["Location"]) == (302, path.removesuffix("/"))
    settled = rows(staff, path, "lines")[1].replace("&#x27;", "'")
    assert settled.startswith("58–59 basic missing , settled 2 2026-03-01 13:00 counted by hand: 1, ")
    assert settled.endswith("(The till's roll) Say anew")


def test_what_nobody_has_settled_comes_first(site: Site, staff: Client) -> None:
    tell(site, 57, 60, 62)
    path = f"/machines/{site.machine.pk}/ledger/"
    assert [line.split()[0] for line in rows(staff, path, "lines")] == ["61", "58–59"]
    newest = Line.objects.get(first=61)
    staff.post(f"{path}{newest.pk}/settle/", {"reason": "lost"})
    assert [line.split()[0] for line in rows(staff, path, "lines")] == ["58–59", "61"]


def test_an_owner_reads_it_and_settles_nothing(site: Site, client: Client) -> None:
    tell(site, 57, 60)
    assert site.vera.user is not None
    client.force_login(site.vera.user)
    path = f"/machines/{site.machine.pk}/ledger/"
    (line,) = rows(client, path, "lines")
    assert line.startswith("58–59 basic missing") and "Settle" not in line
    assert client.get(f"{path}{Line.objects.get().pk}/settle/").status_code == 403
    assert client.get(f"/machines/{site.other_machine.pk}/ledger/").status_code == 404


def test_what_cannot_be_said_is_said_on_the_form(site: Site, staff: Client) -> None:
    tell(site, 57, 60)
    path = f"/machines/{site.machine.pk}/ledger/"
    rows(staff, path, "lines")
    line = Line.objects.get()
    answer = staff.post(f"{path}{line.pk}/settle/", {"reason": "counted", "count": "3"})
    assert answer.status_code == 400
    assert "The line is about 2 presses: at most so many." in answer.content.decode()
    assert staff.get(f"{path}999/settle/").status_code == 404
