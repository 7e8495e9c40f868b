"""`GET /api/ledger/`: epochs and their lines, and who sees which."""

from uuid import UUID

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from device_gateway.models import Device
from ledger.epochs import account as accounts
from ledger.epochs import queries
from ledger.models import Epoch, Line
from ledger.tests.lines.conftest import LEDGER, lines_of, read, tell
from telemetry.commands.payloads import Result
from telemetry.commands.polling import Poll, store_polls
from telemetry.commands.services import create, report
from telemetry.events.services import accept_refused, discard_refused, redate_some
from telemetry.events.storing import store_once
from telemetry.machines.bindings import assign_device
from telemetry.models import Command, MachineDevice, QuarantinedEvent
from telemetry.statuses.payloads import NO_FLAGS
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event


def hour(number: int) -> str:
    return f"2026-03-{1 + (12 + number) // 24:02}T{(12 + number) % 24:02}:00:00Z"


def test_it_works(site: Site) -> None:
    tell(site, 2, 9, 9, 5)
    lines = {line.kind: line.pk for line in Line.objects.all()}
    assert lines == {}  # nobody has asked yet
    said = site.olga.read(LEDGER)
    lines = {line.kind: line.pk for line in Line.objects.all()}
    place = {"outlet_id": site.outlet.pk, "settled": None}
    assert said == {
        "epochs": [
            {
                "machine": {"id": site.machine.pk, "name": "CH1/027/2024"},
                "device_id": "esp32-001",
                "treatment": "BASIC",
                "epoch": 1,
                "cause": "first",
                "command_id": None,
                "ordered_by": None,
                "from": hour(0),
                "to": None,
                "base": 1,
                "last": 9,
                "presses": 4,
                "difference": 8,
                "lines": [
                    {"id": lines["missing"], "kind": "missing", "numbers": "3–8", "first": 3, "last": 8, "count": 6,
                     "at": hour(1), **place},
                    {"id": lines["twice"], "kind": "twice", "numbers": "9", "first": 9, "last": 9, "count": 1,
                     "at": hour(2), **place},
                    {"id": lines["back"], "kind": "back", "numbers": "5", "first": 5, "last": 5, "count": 1,
                     "at": hour(3), **place},
                ],
            }
        ],
        "next": None,
        "lines_left_out": 0,
        "devices_pending": 0,
    }  # fmt: skip


def test_what_comes_late_closes_its_line(site: Site) -> None:
    tell(site, 1, 2, 5)
    assert lines_of(site) == ["missing 3–4"]
    kept = Line.objects.get().pk
    told = [event(site.device, NOON + 1.2 * HOUR, received_at=NOON + 4 * HOUR, counter=3)]
    store_once(connection, told)
    assert lines_of(site) == ["missing 4"]
    store_once(connection, [event(site.device, NOON + 1.5 * HOUR, received_at=NOON + 5 * HOUR, counter=4)])
    assert lines_of(site) == []
    assert not Line.objects.filter(pk=kept).exists()


def test_a_reset_that_was_ordered_is_named(site: Site) -> None:
    tell(site, 7, 8)
    command = reset(site, 2)
    tell(site, 3, since=3)
    after, before = read(site)
    assert (before["cause"], before["base"], before["last"], before["to"]) == ("first", 6, 8, hour(2))
    assert (after["cause"], after["from"], after["base"], after["last"]) == ("reset", hour(2), 0, 3)
    assert (after["command_id"], after["ordered_by"]) == (str(command.command_id), "olga")
    assert lines_of(site) == ["missing 1–2"]


def reset(site: Site, hours: int) -> Command:
    at = NOON + hours * HOUR
    fields = {"command_type": "RESET_COUNTERS", "payload": {}, "expires_in_hours": 1}
    command = create(device=site.device, fields=fields, author=site.olga.user, now=at)
    Command.objects.update(status="sent", sent_at=at)
    done = Result(True, "done", "", None, None, NO_FLAGS)
    report(device=site.device.pk, command_id=str(command.command_id), result=done, received_at=at)
    return command


@pytest.mark.alike
def test_a_cleared_memory_begins_an_epoch(site: Site) -> None:
    """From its delivery on, for no device ever reports it."""
    tell(site, 7, 8)
    at = NOON + 2 * HOUR
    fields = {"command_type": "CLEAR_MEMORY", "payload": {}, "expires_in_hours": 1}
    command = create(device=site.device, fields=fields, author=site.olga.user, now=at)
    assert [epoch["cause"] for epoch in read(site)] == ["first"]
    store_polls(connection, [Poll(site.device.pk, at, seat=1)])
    newest, _ = read(site)
    assert (newest["cause"], newest["from"], newest["base"]) == ("cleared", hour(2), 8)
    tell(site, 1, 2, since=3)
    after, _ = read(site)
    assert (after["cause"], after["base"], after["last"], after["lines"]) == ("cleared", 0, 2, [])
    assert (after["command_id"], after["ordered_by"]) == (str(command.command_id), "olga")


@pytest.mark.alike
def test_a_counter_told_as_0_begins_an_epoch(site: Site) -> None:
    tell(site, 7, 8)
    own = {"basic": 0, "standard": 0, "premium": 3}
    tell(site, 3, since=2, treatment="PREMIUM", current_counters=own)
    tell(site, 2, since=3)
    basic = [epoch for epoch in read(site) if epoch["treatment"] == "BASIC"]
    assert [(epoch["cause"], epoch["base"], epoch["last"], epoch["to"]) for epoch in basic] == [
        ("zero", 0, 2, None),
        ("first", 6, 8, hour(2)),
    ]
    assert lines_of(site) == ["missing 1"]


@pytest.mark.alike
def test_the_legacy_form_counts_by_its_modes_count(write_path: None, site: Site, settings: Settings) -> None:
    settings.LEGACY_INGEST = "on"
    told = {"macaddr": "EC:E3:34:46:2B:C0", "mode": "STANDARD", "count1": "9", "count3": "8"}
    for number in ("4", "6"):
        assert site.nobody.post("/api/iot/", {**told, "count2": number}).status == 200
    assert [(epoch["treatment"], epoch["base"], epoch["last"]) for epoch in read(site)] == [("STANDARD", 3, 6)]
    assert lines_of(site) == ["unplaced 4", "missing 5", "unplaced 6"]


def test_a_board_that_was_put_away_is_unplaced(site: Site) -> None:
    tell(site, 1, 2)
    assign_device(machine=site.machine, device=site.other_device, move=True)
    MachineDevice.objects.filter(device=site.device).update(deactivated_date=NOON + 1.5 * HOUR)
    tell(site, 3, 4, since=2)
    after, before = read(site)
    assert (before["machine"]["name"], before["to"]) == ("CH1/027/2024", "2026-03-01T13:30:00Z")
    assert (after["machine"], after["cause"], after["base"], after["last"]) == (None, "swap", 2, 4)
    assert lines_of(site) == ["unplaced 3–4"]


def test_a_conflict_is_a_line_until_it_is_decided(site: Site) -> None:
    tell(site, 1, 2, event_id="the-same")
    assert lines_of(site) == ["conflict 2"]
    row = QuarantinedEvent.objects.get()
    discard_refused(device=site.device, number=row.pk)
    assert lines_of(site) == []


@pytest.mark.alike
def test_a_conflict_that_is_accepted_is_a_press(site: Site) -> None:
    tell(site, 1, 3, event_id="the-same")
    assert lines_of(site) == ["conflict 3"]
    accept_refused(device=site.device, number=QuarantinedEvent.objects.get().pk, correction={})
    assert lines_of(site) == ["missing 2"]


def test_redating_is_seen(site: Site) -> None:
    """An old queue tells a time that nobody believes in the end."""
    tell(site, 5, 6)
    store_once(connection, [event(site.device, NOON - HOUR, received_at=NOON + 2 * HOUR, counter=7)])
    assert lines_of(site) != []
    redate_some(device=site.device.pk, until=None)
    assert lines_of(site) == []


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("?machine_id=<machine>", 1),
        ("?outlet_id=<outlet>", 1),
        ("?device_id=esp32-002", 1),
        ("?month=2026-03", 2),
        ("?month=2026-02", 0),
        ("?machine_id=<machine>&device_id=esp32-002", 0),
    ],
)
def test_it_can_be_narrowed(site: Site, query: str, found: int) -> None:
    tell(site, 1)
    store_once(connection, [event(site.other_device, NOON, counter=1)])
    query = query.replace("<machine>", str(site.machine.pk)).replace("<outlet>", str(site.outlet.pk))
    assert len(read(site, query)) == found


@pytest.mark.parametrize("query", ["?machine_id=999", "?outlet_id=999", "?device_id=nobody"])
def test_what_is_not_there_is_404(site: Site, query: str) -> None:
    assert site.olga.get(LEDGER + query).status == 404


@pytest.mark.parametrize("query", ["?month=2026-13", "?month=March", "?machine_id=x", "?limit=0", "?before=x"])
@pytest.mark.alike
def test_what_cannot_be_read_is_400(site: Site, query: str) -> None:
    answer = site.olga.get(LEDGER + query)
    assert (answer.status, answer.json()["code"]) == (400, "invalid")


@pytest.mark.alike
def test_it_goes_on_where_a_reply_ended(site: Site) -> None:
    tell(site, 5, 1, 1, 1)
    whole = [epoch["epoch"] for epoch in read(site)]
    assert whole == [4, 3, 2, 1]
    first = site.olga.read(f"{LEDGER}?limit=3")
    assert [epoch["epoch"] for epoch in first["epochs"]] == whole[:3]
    rest = site.olga.read(f"{LEDGER}?limit=3&before={first['next']}")
    assert ([epoch["epoch"] for epoch in rest["epochs"]], rest["next"]) == (whole[3:], None)


def test_many_are_read_some_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(site, 5, 1, 3, 1, 4, 1)
    whole = site.olga.read(LEDGER)
    monkeypatch.setattr(queries, "AT_ONCE", 1)
    assert site.olga.read(LEDGER) == whole
    assert site.olga.read(f"{LEDGER}?limit=3")["epochs"] == whole["epochs"][:3]
    monkeypatch.setattr(queries, "MOST_LINES", 1)
    cut = site.olga.read(LEDGER)
    assert [len(epoch["lines"]) for epoch in whole["epochs"]] == [0, 1, 1, 0]
    assert [len(epoch["lines"]) for epoch in cut["epochs"]] == [0, 1, 0, 0]
    assert (whole["lines_left_out"], cut["lines_left_out"]) == (0, 1)


def test_nobody_waits_for_all_devices_to_be_looked_into(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a second; what is left then is counted, and looked into for the next who asks."""
    monkeypatch.setattr(queries, "LOOK_SECONDS", -1.0)
    tell(site, 1, 3)
    store_once(connection, [event(site.other_device, NOON, counter=1)])
    said = site.olga.read(LEDGER)
    assert (len(said["epochs"]), said["devices_pending"]) == (1, 1)
    said = site.olga.read(LEDGER)
    assert (len(said["epochs"]), said["devices_pending"]) == (2, 0)


def test_an_owner_sees_what_holds_theirs(site: Site) -> None:
    tell(site, 1)
    store_once(connection, [event(site.other_device, NOON, counter=1)])
    assert [epoch["device_id"] for epoch in site.vera.read(LEDGER)["epochs"]] == ["esp32-001"]
    assert site.mallory.read(LEDGER)["epochs"] == []
    assert site.vera.get(f"{LEDGER}?machine_id={site.other_machine.pk}").status == 404
    assert site.nobody.get(LEDGER).status == 401


def test_reconcile_says_what_was_wrong(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 2)  # in steps, between which rows say other things
    tell(site, 1, 5, 6, 6)
    read(site)
    call_command("reconcile")
    assert "Rows that differed: 0 epochs, 0 lines." in capsys.readouterr().out
    assert len(pauses) > 1 and min(pauses[1:]) > 0
    Epoch.objects.update(presses=99)
    Line.objects.filter(kind="missing").delete()
    call_command("reconcile", device="esp32-001")
    assert "Devices looked into: 1. Rows that differed: 1 epochs, 1 lines." in capsys.readouterr().out
    assert lines_of(site) == ["missing 2–4", "twice 6"]
    assert read(site)[0]["presses"] == 4


def test_rows_that_contradict_each_other_are_made_anew(site: Site) -> None:
    """Whoever reads meets no failure."""
    tell(site, 1, 5, 6)
    assert lines_of(site) == ["missing 2–4"]
    Line.objects.update(count=99)
    tell(site, 7, since=3)
    assert lines_of(site) == ["missing 2–4"]
    assert (read(site)[0]["presses"], Line.objects.get().count) == (4, 3)


@pytest.mark.alike
def test_command_ids_are_uuids(site: Site) -> None:
    tell(site, 1)
    reset(site, 1)
    assert UUID(read(site)[0]["command_id"])


def test_a_swap_of_the_board(site: Site) -> None:
    """The old board's epoch ends, the new one's begins, what the old one tells later is nobody's; and an undo."""
    board = Device.objects.create(device_id="esp32-003", created_at=NOON - 300 * DAY)
    path = f"/api/machines/{site.machine.pk}/device/"
    with time_machine.travel(NOON, tick=False) as clock:
        tell(site, 5, 6, since=-2)
        site.olga.post(path, {"device_id": "esp32-003"})
        clock.shift(HOUR)
        store_once(connection, [event(board, NOON + HOUR, counter=41), event(board, NOON + HOUR, counter=43)])
        store_once(connection, [event(site.device, NOON + HOUR, counter=7)])
        shown = [
            (epoch["device_id"], epoch["machine"] and epoch["machine"]["id"], epoch["cause"], epoch["ordered_by"],
             epoch["from"], epoch["to"], epoch["base"], epoch["last"],
             [f"{line['kind']} {line['numbers']}" for line in epoch["lines"]])
            for epoch in sorted(read(site), key=lambda epoch: (epoch["device_id"], epoch["epoch"]))
        ]  # fmt: skip
        assert shown == [
            ("esp32-001", site.machine.pk, "first", None, hour(-2), hour(0), 4, 6, []),
            ("esp32-001", None, "swap", "olga", hour(0), None, 6, 7, ["unplaced 7"]),
            ("esp32-003", site.machine.pk, "swap", "olga", hour(0), None, 40, 43, ["missing 42"]),
        ]
        clock.shift(HOUR)
        assert site.olga.post(f"{path}undo/").status == 200
        store_once(connection, [event(site.device, NOON + 3 * HOUR, counter=8)])
        epochs = read(site, f"?machine_id={site.machine.pk}")
    ends = {(epoch["device_id"], epoch["epoch"]): (epoch["cause"], epoch["from"], epoch["to"]) for epoch in epochs}
    assert ends == {
        ("esp32-001", 1): ("first", hour(-2), hour(0)),
        ("esp32-001", 3): ("swap", hour(2), None),
        ("esp32-003", 1): ("swap", hour(0), hour(2)),
    }
    kept = Epoch.objects.values_list("device", "number", "cause", "base", "last", "started_at", "ended_at")
    stored = list(kept)
    call_command("reconcile")
    assert list(kept.all()) == stored
