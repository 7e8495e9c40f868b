"""Texts as people look for them, and the order they stand in: every script, both compositions, numbers."""

import random
from unicodedata import normalize

import pytest

from ozone.wire.folding import LONGEST, folded, order_key

PAIRS = [
    ("Kiosk Nord", "kiosk nord"),
    ("Киоск Север", "киоск север"),
    ("Ärztehaus", "ärztehaus"),
    ("Café", "CAFÉ"),
    ("Ñuñoa", "ñuñoa"),
    ("ΟΔΟΣ", "οδος"),
    ("Straße", "STRASSE"),
    ("İstanbul", "istanbul"),
    ("ISPARTA", "ısparta"),
    ("Գյումրի", "գյումրի"),
    ("ＡＢＣ１２", "abc12"),
    ("ｷｵｽｸ", "キオスク"),
    ("ﬀ", "FF"),
    ("Ḍ̇", "Ḍ̇"),
    ("한국", "한국"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_spelling_for_all_of_the_same_letters(one: str, other: str) -> None:
    spellings = {normalize(form, text) for text in (one, other) for form in ("NFC", "NFD")}
    assert len({folded(text) for text in spellings}) == 1
    assert len({order_key(text) for text in spellings}) == 1


@pytest.mark.parametrize(("one", "other"), [("cafe", "café"), ("и", "й"), ("か", "が"), ("kiosk", "киоск")])
def test_other_letters_are_others(one: str, other: str) -> None:
    assert folded(one) != folded(other)


ORDERS = [
    ["unit 2", "Unit 10", "unit 100"],
    ["Alpha", "bravo", "Charlie", "delta"],
    ["0x", "1", "02", "3", "10"],
    ["1.9", "1.10"],
    ["A", "Ärzte", "Zoo"],
    ["ирис", "йод", "Киоск"],
    ["bay", "Bay 1 left", "bay 1 right", "Bay 2"],
    ["unit ٢", "unit 3", "unit １０"],
    ["x" + "9" * 40, "x1" + "0" * 40],
]


@pytest.mark.parametrize("texts", ORDERS, ids=" < ".join)
def test_the_order(texts: list[str]) -> None:
    shuffled = random.Random(1).sample(texts, len(texts))
    assert sorted(shuffled, key=order_key) == texts


@pytest.mark.parametrize("text", ["", " ", "\u3000\t"])
def test_blank_has_no_place(text: str) -> None:
    assert order_key(text) == b""


@pytest.mark.parametrize(
    "text", ["a" + "\u0315" * 50_000 + "\u0300" * 50_000, "\ufdfa" * 50_000, "9" * 50_000, "ß" * 50_000]
)
def test_no_more_is_looked_at_than_a_text_may_have(text: str) -> None:
    assert folded(text) == folded(text[:LONGEST])
    assert order_key(text) == order_key(text[:LONGEST])
