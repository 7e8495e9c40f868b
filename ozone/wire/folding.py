"""Texts as people look for them: without regard to case and to how their letters are composed, numbers as numbers.

Lengths are bounded before anything is normalised: putting many marks in their order takes quadratic time.
"""

import re
from typing import Final
from unicodedata import normalize

LONGEST: Final = 500
"""Characters of a text that are looked at; no text that can be found is longer."""
_NUMBER: Final = re.compile(r"\d+")
_MARKED: Final = re.compile(r"([a-z])[\u0300-\u036f]+")
_DOTTED_I: Final = "i\u0307"
"""What `İ` is in small letters. With it and `ı` as `i`, Turkish is found by either of its two letters."""


def folded(text: str) -> str:
    """The text in one spelling for all of the same letters, in every script: `CAFÉ`, `café` and `cafe` + U+0301 are
    one, `ＡＢＣ` is `abc`, `ß` is `ss`."""
    if text.isascii():
        return text[:LONGEST].lower()
    small = normalize("NFKC", normalize("NFKC", text[:LONGEST]).casefold())
    return small.replace(_DOTTED_I, "i").replace("ı", "i")


def order_key(text: str) -> bytes:
    """Bytes in whose order the texts stand in a list: as folded, numbers by their value (`unit 2` before `unit 10`),
    Latin letters with marks among those without (`Ärzte` before `Zoo`). Empty of a blank text.

    A number is written as how many digits it has, and then these.
    """
    plain = _MARKED.sub(r"\1", normalize("NFD", folded(text.strip())))
    return _NUMBER.sub(_counted, normalize("NFC", plain)).encode("utf-8", "replace")


def _counted(found: re.Match[str]) -> str:
    digits = str(int(found[0]))
    return chr(ord("0") - 1 + len(digits)) + digits
