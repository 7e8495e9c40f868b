"""A file of devices in whatever encoding: recognised or asked about, and shown, before anything is added."""

import re
from itertools import cycle
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.test import Client

from device_gateway.models import Device
from pages.tests.conftest import SignIn
from pages.tests.devices.test_device_upload import UPLOAD, confirm, hidden, look_at, said

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

SURE: Final = {
    "utf-8": ("UTF-8", "Büro 名 🔋"),
    "utf-8-sig": ("UTF-8", "Büro"),
    "utf-16": ("UTF-16", "Büro"),
    "utf-16-le": ("UTF-16", "收银台一号"),
    "utf-16-be": ("UTF-16", "Киоск"),
    "utf-32": ("UTF-32", "Büro"),
    "ascii": ("UTF-8", "Hall B"),
}
GUESSED: Final = {
    "cp1252": "Empfang Köln",
    "latin-1": "Straße Süd",
    "cp1250": "Warszawa Śródmieście",
    "cp1251": "Киоск Север",
    "koi8-r": "Киоск Север",
    "cp866": "Киоск Север",
    "cp1253": "Θεσσαλονίκη",
    "cp1254": "İstanbul Kadıköy Kasası",
    "cp1255": "ירושלים",
    "cp1256": "القاهرة",
    "cp1257": "Šiauliai Žvėrynas",
    "cp874": "เชียงใหม่",
    "gbk": "收银台一号",
    "gb18030": "咖啡店",
    "big5": "咖啡店",
    "cp932": "レジ一番",
    "shift_jis": "東京駅",
    "euc_jp": "おおさか駅 レジ一番",
    "cp949": "서울역",
    "cp850": "Gerät Österreich Büro",
    "mac_roman": "Café de la Gare Hôtel",
}


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def choices(reply: Any) -> dict[str, str]:
    """What may be chosen: encoding and sample."""
    found = re.findall(r'name="other" value="([^"]+)"[^>]*><span>(.*?) <small>', reply.content.decode())
    return dict(found)


def names() -> list[str]:
    return list(Device.objects.order_by("pk").values_list("name", flat=True))


@pytest.mark.parametrize(("encoding", "separator"), [*zip(SURE, cycle(",;\t"), strict=False)])
def test_unicode_tells_itself(staff: Client, encoding: str, separator: str) -> None:
    title, name = SURE[encoding]
    reply = look_at(staff, f"name{separator}device_id\r\n{name}{separator}OZ-1\r\n".encode(encoding))
    assert f"1 of 1 can be added Read as {title}. Nothing" in said(reply)
    assert names() == []
    confirm(staff, reply)
    assert names() == [name]


@pytest.mark.parametrize(("encoding", "separator"), [*zip(GUESSED, cycle(",;\t"), strict=False)])
def test_an_old_encoding_is_guessed_and_said_to_be(staff: Client, encoding: str, separator: str) -> None:
    name = GUESSED[encoding]
    reply = look_at(staff, f"name{separator}device_id\r\n{name}{separator}OZ-1\r\n".encode(encoding))
    assert re.search(
        r"1 of 1 can be added Read as [^.]+, which is a guess\. Nothing has been written yet\.", said(reply)
    )
    assert name in choices(reply).values()
    assert names() == []
    confirm(staff, reply)
    assert names() == [name]


def test_a_wrong_guess_is_put_right_before_anything_is_added(staff: Client) -> None:
    content = "name;device_id\nİstanbul;OZ-1\n".encode("cp1254")
    first = look_at(staff, content)
    assert hidden(first)["encoding"] != "cp1254"
    assert choices(first)["cp1254"] == "İstanbul"
    # Whoever chooses and presses the other button sees it first, too.
    for press in ({"read": "yes"}, {}):
        reply = staff.post(UPLOAD, {**hidden(first), "other": "cp1254", **press})
        assert "Read as Turkish (Windows-1254), which is a guess." in said(reply)
        assert hidden(reply)["encoding"] == "cp1254"
        assert names() == []
    confirm(staff, reply)
    assert names() == ["İstanbul"]


def test_an_encoding_that_cannot_be_is_not_offered(staff: Client) -> None:
    reply = look_at(staff, "name\nBüro\n".encode("cp1252"))
    assert {"utf-16-le", "utf-8"}.isdisjoint(choices(reply))
    again = staff.post(UPLOAD, {**hidden(reply), "other": "utf-8"})
    assert "This is not a text file." in said(again)
    assert names() == []


def test_where_the_guess_is_no_table_another_may_be_chosen(staff: Client) -> None:
    reply = look_at(staff, "name;colour\nBüro;x\n".encode("cp1252"))
    assert "It does not read as a table of devices Read as Western (Windows-1252), which is a guess." in said(reply)
    assert "Unknown columns: colour." in said(reply)
    assert len(choices(reply)) > 1


def test_letters_of_a_to_z_are_the_same_in_all(staff: Client) -> None:
    assert choices(look_at(staff, "name\nHall B\n")) == {}


def test_a_long_file_is_looked_at_once(staff: Client) -> None:
    lines = "".join(f"Счётчик {number};OZ-{number}\n" for number in range(3000))
    reply = look_at(staff, ("name;device_id\n" + lines).encode("cp1251"))
    assert "3000 of 3000 can be added Read as Cyrillic (Windows-1251), which is a guess." in said(reply)
