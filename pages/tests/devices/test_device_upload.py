"""Devices from a CSV file: a look at what it says, and then the good lines, once."""

import re
from base64 import b64encode
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import Device
from device_gateway.names import NO_MAC
from device_gateway.registry.services import archive_device
from ozone.webapi.heavy import person_of, places
from pages.devices import file as device_file
from pages.tests.conftest import SignIn
from pages.tests.onlooker import text

UPLOAD = "/device-upload"
HEADER = "name;device_id;mac;location;owner;notes\n"


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def look_at(client: Client, content: str | bytes) -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return client.post(UPLOAD, {"file": SimpleUploadedFile("devices.csv", data)})


def hidden(reply: Any) -> dict[str, str]:
    """What the page's form sends besides what one chooses."""
    found = re.findall(r'<input type="hidden" name="(content|encoding)" value="([^"]*)"', reply.content.decode())
    assert [name for name, _ in found] == ["content", "encoding"]
    return dict(found)


def confirm(client: Client, reply: Any) -> Any:
    return client.post(UPLOAD, hidden(reply))


def as_sent(text: str, encoding: str = "utf-8") -> dict[str, str]:
    """A confirmation that the page has not made."""
    return {"content": b64encode(text.encode()).decode(), "encoding": encoding}


def parts(reply: Any) -> dict[str, list[list[str]]]:
    """The tables by their headings: of each line what its cells say, the empty ones left out."""
    page = reply.content.decode()
    found = re.findall(r'<h2 id="(bad|there|good)">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return {name: [_cells(row) for row in re.findall(r"<tr>(.*?)</tr>", rows, re.DOTALL)] for name, rows in found}


def _cells(row: str) -> list[str]:
    return [words for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) if (words := text(cell)) != "—"]


def said(reply: Any) -> str:
    return text(reply.content.decode())


def messages(reply: Any) -> list[str]:
    return re.findall(r'class="message [a-z]+">(.*?)</p>', reply.content.decode())


def test_from_a_file_to_devices(staff: Client, vera: User) -> None:
    reply = look_at(staff, f"{HEADER}Bay 7;OZ-107;ec-e3-34-46-2b-c0;Forecourt;vera;left\nMeter 2;;;Hall B;;\n")
    assert reply.status_code == 200
    assert "2 of 2 can be added Read as UTF-8. Nothing has been written yet." in said(reply)
    assert parts(reply) == {
        "good": [
            ["Line 2", "Bay 7", "OZ-107", "ec-e3-34-46-2b-c0", "Forecourt", "vera", "left"],
            ["Line 3", "Meter 2", "Hall B"],
        ]
    }
    assert Device.objects.count() == 0
    reply = confirm(staff, reply)
    assert (reply.status_code, reply["Location"]) == (302, "/devices")
    bay, meter = Device.objects.order_by("name")
    assert (bay.name, bay.device_id, bay.mac) == ("Bay 7", "OZ-107", "EC:E3:34:46:2B:C0")
    assert (bay.location, bay.owner, bay.notes, bay.assigned) == ("Forecourt", vera, "left", True)
    assert (meter.name, meter.device_id, meter.location, meter.owner) == ("Meter 2", f"dev-{meter.pk}", "Hall B", None)
    assert meter.assigned is False
    assert messages(staff.get("/devices/")) == ["2 devices are added."]


def test_the_same_file_once_more_adds_nothing(staff: Client) -> None:
    first = look_at(staff, f"{HEADER}Bay 7;OZ-107;;;;\nMeter 2;;;;;\n;;02:00:00:00:00:01;;;\n")
    confirm(staff, first)
    reply = confirm(staff, first)
    assert reply["Location"] == "/devices"
    assert messages(staff.get("/devices/"))[-1] == "Nothing to add: all of them are there already."
    assert Device.objects.count() == 3
    bay, bare = Device.objects.get(device_id="OZ-107"), Device.objects.get(name="")
    again = look_at(staff, f"{HEADER}Bay 7;OZ-107;;;;\nMeter 2;;;;;\n;;02:00:00:00:00:01;;;\n")
    assert (
        "0 of 3 can be added Read as UTF-8. 3 are there already and stay as they are. Nothing has been written yet."
        in said(again)
    )
    assert [line[1] for line in parts(again)["there"]] == [
        f"OZ-107 is the name of device {bay.pk} (Bay 7).",
        "A device of this name is there already. A device_id or MAC would tell them apart.",
        f"02:00:00:00:00:01 is the name of device {bare.pk}.",
    ]
    assert "Add 0" not in said(again)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "x;;nonsense;;;",
            f"mac: {NO_MAC}",
        ),
        (";12345;;;;", "device_id: A device_id of digits only would be taken for a number."),
        (";a b;;;;", "device_id: A device_id has 1 to 63 of the characters A-Z a-z 0-9 . _ : -"),
        (";dev-7;;;;", "device_id: dev-<number> is the name the server gives to the device of that number."),
        (
            ";02:00:00:00:00:99;;;;",
            "device_id: A device_id that looks like a MAC address must be the device's own MAC.",
        ),
        ("x;;;;nobody;", "No account is called “nobody”."),
        ("x;;;;gone;", "No account is called “gone”."),
        (";;;Hall;;", "Neither name nor device_id nor MAC."),
        (";OZ-1;;;;", "The same device as in line 2."),
        ("y;;020000000001;;;", "The same device as in line 2."),
        ("Meter;;;;;", "The same device as in line 3."),
        ("x" * 201 + ";;;;;", "name: Ensure this value has at most 200 characters (it has 201)."),
        ("x;;;;;;surplus", "More cells than columns. Text that holds the separator needs quotes."),
    ],
)
@pytest.mark.sqlite_only
def test_a_bad_line_is_named_and_the_others_added(staff: Client, line: str, problem: str) -> None:
    User.objects.create_user("gone", is_active=False)
    reply = look_at(staff, f"{HEADER}Bay;OZ-1;02-00-00-00-00-01;;;\nMeter;;;;;\n{line}\n")
    assert "2 of 3 can be added Read as UTF-8. 1 cannot: see below." in said(reply)
    [[number, why, *_]] = parts(reply)["bad"]
    assert (number, why) == ("Line 4", problem)
    reply = confirm(staff, reply)
    assert (reply.status_code, messages(reply)) == (200, ["2 devices are added."])
    assert parts(reply)["bad"][0][:2] == ["Line 4", problem]
    assert sorted(Device.objects.values_list("name", flat=True)) == ["Bay", "Meter"]


def test_names_of_others_stay_theirs(staff: Client, meter: Device) -> None:
    archived = Device.objects.create(name="Old", device_id="OZ-1", mac="02:00:00:00:00:01")
    archive_device(device=archived, now=timezone.now())
    reply = look_at(staff, f"{HEADER};{meter.device_id};;;;\n;OZ-1;;;;\n;OZ-2;02:00:00:00:00:01;;;\nOld;;;;;\n")
    assert [line[0] for line in parts(reply)["there"]] == ["Line 3", "Line 4"]
    assert [line[0] for line in parts(reply)["good"]] == ["Line 5"]


@pytest.mark.parametrize(
    "content",
    [
        "Name,Device ID,MAC Address\nBüro,OZ-1,\n".encode(),
        "\ufeffname;device_id\r\nBüro;OZ-1\r\n".encode(),
        "sep=;\r\nname;device_id\r\nBüro;OZ-1\r\n".encode("cp1252"),
        "device_id\tname\r\nOZ-1\tBüro\r\n".encode("utf-16"),
        b'"device_id";"notes";"name"\n\n"OZ-1";"two\nlines";"B\xc3\xbcro"\n;;\n',
        " Device_ID ; NAME \n OZ-1 ; Büro \n".encode(),
    ],
)
@pytest.mark.sqlite_only
def test_whatever_a_spreadsheet_writes(staff: Client, content: bytes) -> None:
    confirm(staff, look_at(staff, content))
    device = Device.objects.get()
    assert (device.device_id, device.name) == ("OZ-1", "Büro")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The submitted file is empty."),
        (b"\n\n", "The first line names the columns. Of name, device_id and mac at least one is needed."),
        (b"location;notes\na;b\n", "Of name, device_id and mac at least one is needed."),
        (b"name;colour\na;b\n", "Unknown columns: colour. There are name, device_id, mac, location, owner, notes."),
        (b"name;name\na;b\n", "A column stands twice in the first line."),
        (b"name;device_id\n", "The file has no line under its header."),
        (b'name\n"a"b\n', "Line 2 cannot be read: "),
        (b'name\nx\n"a\n', "Line 3 cannot be read: unexpected end of data."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "This is not a text file. Save the table as CSV."),
        (b"PK\x03\x04\x00\x9d", "This is not a text file. Save the table as CSV."),
        (b"name\n" + b"x\n" * 5001, "The file has more than 5,000 lines. Split it."),
        (b"name\n" + b"x" * (1024 * 1024), "The file is larger than 1,024 KiB."),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_table_of_devices(staff: Client, content: bytes, sentence: str) -> None:
    reply = look_at(staff, content)
    assert reply.status_code == 200
    assert sentence in said(reply)
    assert 'name="content"' not in reply.content.decode()
    assert Device.objects.count() == 0


def test_no_file(staff: Client) -> None:
    assert "This field is required." in said(staff.post(UPLOAD, {"file": ""}))


@pytest.mark.parametrize(
    "sent",
    [
        as_sent("colour\nred"),
        as_sent("name\nx\0y"),
        as_sent("name\nx", "utf-7"),
        as_sent("name\nxyz", "utf-16-le"),
        as_sent(""),
        {"content": "no base64", "encoding": "utf-8"},
        {"content": "é", "encoding": "utf-8"},
        {"content": ""},
        as_sent("name\n" + "x" * (1024 * 1024)),
    ],
)
@pytest.mark.sqlite_only
def test_a_confirmation_that_nobody_was_shown(staff: Client, sent: dict[str, str]) -> None:
    reply = staff.post(UPLOAD, sent)
    assert reply.status_code == 400
    assert "That did not work" in said(reply)
    assert Device.objects.count() == 0


def test_a_file_is_shown_as_text(staff: Client) -> None:
    page = look_at(staff, 'name\n"<b onclick=""x"">Bay</b>"\n').content.decode()
    assert "<b onclick" not in page
    assert "&lt;b onclick=&quot;x&quot;&gt;Bay&lt;/b&gt;" in page


def test_what_takes_too_long_goes_on(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = look_at(staff, "device_id\nOZ-1\nOZ-2\nbad one\n")
    monkeypatch.setattr(device_file, "SECONDS", -1.0)
    reply = confirm(staff, first)
    assert messages(reply) == ["None is added."]
    assert "2 still to be added So many take a while. Go on: nothing is added twice. Go on" in said(reply)
    monkeypatch.setattr(device_file, "SECONDS", 10.0)
    reply = confirm(staff, reply)
    assert messages(reply) == ["2 devices are added."]
    assert [line[0] for line in parts(reply)["bad"]] == ["Line 4"]
    assert Device.objects.count() == 2


def test_a_database_that_stops_answering(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = look_at(staff, "device_id\nOZ-1\nOZ-2\nOZ-3\n")
    real = device_file.register_device

    def locked(*, fields: dict[str, Any]) -> Device:
        if fields["device_id"] == "OZ-2":
            raise OperationalError("database is locked")
        return real(fields=fields)

    monkeypatch.setattr(device_file, "register_device", locked)
    reply = confirm(staff, first)
    assert messages(reply) == ["One device is added."]
    assert "2 still to be added" in said(reply)
    assert list(Device.objects.values_list("device_id", flat=True)) == ["OZ-1"]


def test_a_name_that_is_taken_between_the_two(staff: Client) -> None:
    first = look_at(staff, "device_id\nOZ-1\nOZ-2\n")
    Device.objects.create(device_id="OZ-1")
    confirm(staff, first)
    assert messages(staff.get("/devices/")) == ["One device is added."]
    assert Device.objects.count() == 2


def test_many_lines_are_few_queries(staff: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8):
        reply = look_at(staff, "name;device_id\n" + "".join(f"Unit {n};U-{n}\n" for n in range(450)))
    assert "450 of 450 can be added" in said(reply)
    assert len(parts(reply)["good"]) == 200
    assert "The first 200 of 450." in said(reply)


def test_few_are_looked_at_at_once(staff: Client, olga: User, settings: Settings) -> None:
    """A file in an old encoding is read in up to twelve of them, and takes a second of a processor."""
    settings.HEAVY_WAIT_SECONDS = 0.1
    person = person_of(olga)
    with places.one(person), places.one(person):
        assert staff.get(UPLOAD).status_code == 200
        reply = look_at(staff, f"{HEADER}Unit;U-1;;;;\n")
        assert (reply.status_code, reply["Retry-After"]) == (429, "5")
    assert parts(look_at(staff, f"{HEADER}Unit;U-1;;;;\n"))["good"]
