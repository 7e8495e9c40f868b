"""A file is read piece by piece: a letter of several bytes may lie across two of them."""

import pytest

from ozone.wire import charset
from ozone.wire.charset import encoding_called, read_as


@pytest.mark.parametrize("piece", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("utf-8", "Kiosk Ä, 東京, 😀\n"),
        ("utf-8-sig", "Kiosk Ä\n"),
        ("utf-16", "Kiosk 東京 😀\n"),
        ("utf-16-le", "Kiosk 東京 😀\n"),
        ("utf-32", "Kiosk 😀\n"),
        ("cp1251", "Счётчик №1\n"),
        ("gb18030", "北京市 😀\n"),
        ("cp932", "東京駅\n"),
        ("cp949", "서울역\n"),
        ("big5hkscs", "台北車站\n"),
        ("utf-8", ""),
    ],
)
def test_it_works(monkeypatch: pytest.MonkeyPatch, piece: int, name: str, text: str) -> None:
    monkeypatch.setattr(charset, "_PIECE", piece)
    encoding = encoding_called(name)
    assert encoding is not None
    assert read_as(text.encode(name), encoding) == text


@pytest.mark.parametrize(
    ("name", "content"),
    [("utf-8", b"\xc3"), ("utf-8", b"a\0"), ("cp932", b"a\x93"), ("utf-16", b"ab"), ("utf-16-le", b"a\0b")],
)
@pytest.mark.parametrize("piece", [1, 100])
def test_no_text(monkeypatch: pytest.MonkeyPatch, piece: int, name: str, content: bytes) -> None:
    monkeypatch.setattr(charset, "_PIECE", piece)
    encoding = encoding_called(name)
    assert encoding is not None
    assert read_as(content, encoding) is None
