"""Words that the server says to people, and that they say."""

from typing import Final
from unicodedata import category

UNSEEN: Final = "Nothing of this can be seen: a name has a letter, a digit or a sign."
_WITHOUT_INK: Final = frozenset({"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Blanks, controls and zero-width characters; and marks, which need a letter to stand on."""
_FILLERS: Final = frozenset("\u115f\u1160\u2065\u2800\u3164\uffa0\U0001d159\U00013441\U00013442")
"""By their category letters and signs, and drawn as nothing: of Hangul, Braille, music, hieroglyphs."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """The text as a cell of a CSV file: no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return all(character in _FILLERS or category(character) in _WITHOUT_INK for character in text)


def duration(seconds: float) -> str:
    """A stretch of time in its two largest units: `16 min`, `10 h 5 min`, `3 days 4 h`."""
    left = int(seconds)
    words = []
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            words.append("1 day" if (number, unit) == (1, "days") else f"{number} {unit}")
        elif words:
            break
    return " ".join(words[:2]) or "0 s"
