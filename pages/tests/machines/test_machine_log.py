"""One machine's page: what it has given, what its device counts, and its log."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import DeviceState
from pages.tests.conftest import SignIn
from pages.tests.onlooker import Onlooker, figures, table, text
from telemetry.machines.bindings import archive_machine, assign_device, unassign_device
from telemetry.models import Command
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, counters, press


@pytest.fixture
def path(site: Site) -> str:
    return f"/machines/{site.machine.pk}/logs/"


def tell(site: Site, treatment: str, after: Any, counts: tuple[int, int, int], **members: Any) -> None:
    """A press so long after noon, with the device's counters."""
    number = counts[["BASIC", "STANDARD", "PREMIUM"].index(treatment)]
    press(site.device, NOON + after, treatment=treatment, counter=number, current_counters=counters(*counts), **members)


def reset(site: Site, after: Any, **fields: Any) -> Command:
    at = NOON + after
    told = {"counters": counters(0, 0, 0), "status": "executed", **fields}
    return Command.objects.create(
        device=site.device, command_type="RESET_COUNTERS", created_at=at, changed_at=at, expires_at=at + DAY,
        executed_at=at, **told,
    )  # fmt: skip


def test_it_works(site: Site, staff: Client, path: str) -> None:
    tell(site, "BASIC", -14 * HOUR, (6, 0, 0))
    tell(site, "STANDARD", -HOUR, (6, 1, 0))
    reset(site, -30 * SECOND, description="Monthly")
    tell(site, "PREMIUM", -10 * SECOND, (0, 0, 1))
    page = staff.get(path)
    assert table(page, "log") == [
        ["2026-03-01 11:59:50", "premium", "0", "0", "1", "esp32-001", ""],
        ["2026-03-01 11:59:30", "reset", "0", "0", "0", "esp32-001", "Monthly"],
        ["2026-03-01 11:00:00", "standard", "6", "1", "0", "esp32-001", ""],
        ["2026-02-28 22:00:00", "basic", "6", "0", "0", "esp32-001", ""],
    ]
    assert figures(page) == [
        ["", "Ever", "Today", "Counter now"],
        ["Basic", "1", "0", "0"],
        ["Standard", "1", "1", "0"],
        ["Premium", "1", "1", "1"],
        ["All three", "3", "2", "1"],
    ]
    assert table(page, "bindings") == [["esp32-001", "Chai Chee", "2026-02-28 12:00:00", "now"]]
    html = page.content.decode()
    assert f'href="/api/export/?machine_id={site.machine.pk}&amp;days=36500&amp;bom=true"' in html
    assert f'href="/stats?machine_id={site.machine.pk}"' in html
    assert 'data-live="5000"' in html


def test_a_machine_that_has_done_nothing(staff: Client, path: str) -> None:
    page = staff.get(path)
    assert table(page, "log") == []
    assert figures(page)[-1] == ["All three", "0", "0", "0"]
    assert "Nothing yet." in page.content.decode()
    assert "?all" not in page.content.decode()


def test_without_a_device_there_is_no_counter(site: Site, staff: Client, path: str) -> None:
    tell(site, "BASIC", -HOUR, (6, 0, 0))
    unassign_device(machine=site.machine)
    page = staff.get(path)
    assert figures(page)[0] == ["", "Ever", "Today"]
    assert figures(page)[-1] == ["All three", "1", "1"]
    assert table(page, "bindings") == [["esp32-001", "Chai Chee", "2026-02-28 12:00:00", "2026-03-01 12:00:00"]]
    assert "Chai Chee · no device" in text(page.content.decode())


def test_its_past_stays_its_own(site: Site, staff: Client, path: str) -> None:
    """What another machine's device gives from now on is this one's; what was given before is the other's."""
    tell(site, "BASIC", -HOUR, (6, 0, 0))
    assign_device(machine=site.machine, device=site.other_device, move=True)
    press(site.other_device, NOON, counter=9)
    page = staff.get(path)
    assert [row[5] for row in table(page, "log")] == ["esp32-002", "esp32-001"]
    assert figures(page)[1] == ["Basic", "2", "2", "9"]


def test_a_clock_that_is_not_believed(site: Site, staff: Client, path: str) -> None:
    tell(site, "BASIC", -HOUR, (1, 0, 0), ts="2025-01-01 00:00:16", received_at=NOON)
    (row,) = table(staff.get(path), "log")
    assert (row[0], row[1]) == ("2026-03-01 12:00:00", "basic")
    assert row[6] == "clock suspect shown when it arrived; the device said 2025-01-01 00:00:16"


@pytest.mark.parametrize(("seconds", "said"), [(60, ""), (61, "arrived 2026-03-01 12:00:01")])
def test_what_arrives_late_says_so(site: Site, staff: Client, path: str, seconds: int, said: str) -> None:
    late = seconds * SECOND
    tell(site, "BASIC", -60 * SECOND, (1, 0, 0), received_at=NOON - 60 * SECOND + late)
    (row,) = table(staff.get(path), "log")
    assert (row[0], row[6]) == ("2026-03-01 11:59:00", said)


def test_a_hundred_and_more_when_asked(site: Site, staff: Client, path: str) -> None:
    for number in range(1, 104):
        tell(site, "BASIC", (number - 200) * SECOND, (number, 0, 0))
    page = staff.get(path)
    assert '<a href="?all">Show 500</a>' in page.content.decode()
    newest = [row[2] for row in table(page, "log")]
    assert newest == [str(number) for number in range(103, 3, -1)]
    assert [row[2] for row in table(staff.get(f"{path}?all"), "log")] == [str(number) for number in range(103, 0, -1)]


def test_what_a_device_says_is_text(site: Site, staff: Client, path: str) -> None:
    tell(site, "BASIC", -HOUR, (1, 0, 0), ts="<script>x</script>", received_at=NOON)
    assert "<script>x" not in staff.get(path).content.decode()


def test_an_owner_looks_and_changes_nothing(site: Site, owner: Client, path: str) -> None:
    tell(site, "BASIC", -HOUR, (6, 0, 0))
    page = owner.get(path)
    assert len(table(page, "log")) == 1
    assert "data-dialog" not in page.content.decode()


def test_an_owner_counts_their_own_device_only(site: Site, staff: Client, owner: Client, path: str) -> None:
    unassign_device(machine=site.machine)
    assign_device(machine=site.machine, device=site.other_device, move=True)
    press(site.other_device, NOON, treatment="PREMIUM")
    assign_device(machine=site.machine, device=site.device, move=True)
    tell(site, "BASIC", SECOND, (6, 0, 0))
    assert figures(staff.get(path))[-1][:2] == ["All three", "2"]
    assert figures(owner.get(path))[-1][:2] == ["All three", "1"]
    assert [row[5] for row in table(owner.get(path), "log")] == ["esp32-001"]
    assert {row[0] for row in table(owner.get(path), "bindings")} == {"esp32-001"}


def test_others(site: Site, signed_in: SignIn, client: Client, path: str, owner: Client) -> None:
    assert site.mallory.user
    assert signed_in(site.mallory.user).get(path).status_code == 404
    assert owner.get(f"/machines/{site.other_machine.pk}/logs/").status_code == 404
    assert client.get(path)["Location"] == f"/login/?next={path}"


def test_what_is_not_there(site: Site, staff: Client, owner: Client, path: str) -> None:
    for number in ("0", "999999999999999999", "9999999999999999999", "x", "%00", "-1"):
        assert staff.get(f"/machines/{number}/logs/").status_code == 404
    archive_machine(machine=site.machine)
    assert (staff.get(path).status_code, owner.get(path).status_code) == (200, 404)


def test_its_methods(staff: Client, path: str) -> None:
    assert staff.get(path.removesuffix("/")).status_code == 200
    reply = staff.post(path)
    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD")


def test_an_unchanged_page_is_one_query(
    staff: Client, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    onlooker = Onlooker(staff, path)
    onlooker.look()  # from now on she is known
    with django_assert_num_queries(2):  # who looks, and the version
        reply = onlooker.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_a_press_is_one_row_and_the_numbers(site: Site, staff: Client, path: str) -> None:
    for number in range(1, 4):
        tell(site, "BASIC", (number - 100) * SECOND, (number, 0, 0))
    onlooker = Onlooker(staff, path)
    tell(site, "STANDARD", SECOND, (3, 1, 0))
    reply = onlooker.look()
    assert [row[1:5] for row in table(reply)] == [["standard", "3", "1", "0"]]
    assert figures(reply)[-1] == ["All three", "4", "4", "4"]


def test_a_reset_is_a_row_of_its_own(site: Site, staff: Client, path: str) -> None:
    onlooker = Onlooker(staff, path)
    reset(site, SECOND)
    assert [row[1] for row in table(onlooker.look())] == ["reset"]


def test_another_machines_press_is_nothing(site: Site, staff: Client, path: str) -> None:
    onlooker = Onlooker(staff, path)
    press(site.other_device, NOON)
    assert onlooker.look().status_code == 204


def test_its_end_is_told(site: Site, staff: Client, owner: Client, path: str) -> None:
    onlookers = [Onlooker(client, path) for client in (staff, owner)]
    reply = staff.post(f"/machines/{site.machine.pk}/delete/")
    assert reply.status_code == 302
    looked = [onlooker.look() for onlooker in onlookers]
    assert [reply.status_code for reply in looked] == [200, 404]
    assert "deleted" in looked[0].content.decode()


def test_a_long_log_costs_no_more_queries(
    site: Site, staff: Client, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 31):
        tell(site, "BASIC", (number - 100) * SECOND, (number, 0, 0))
        reset(site, (number - 100) * SECOND)
    DeviceState.objects.update(last_poll=NOON)
    # Session, account, version; machine, log, resets, devices, twice the totals; three for its uptime.
    with django_assert_num_queries(12):
        assert len(table(staff.get(path), "log")) == 60
