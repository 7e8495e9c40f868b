"""Text of which nobody says how its letters became bytes: in Unicode, or in the old encoding of somebody's system.

UTF-8 and UTF-16 tell themselves. Of the old encodings most can read most files, and each finds other letters in it:
which is likely is chardet's to say, and people see what the others would read. (Of 874 files of one to six names in 25
languages it found the right one for 789, charset-normalizer for 352; of one name alone, four fifths.)
"""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Final, NamedTuple
from unicodedata import category

import chardet


class Encoding(NamedTuple):
    """`name` is Python's, `title` for people."""

    name: str
    title: str


class Reading(NamedTuple):
    """What the bytes say in an encoding."""

    encoding: Encoding
    text: str


class Readings(NamedTuple):
    """What bytes may say, the likeliest first; empty: no text. `is_sure`: the first is no guess."""

    found: list[Reading]
    is_sure: bool


_UTF_8: Final = Encoding("utf-8", "UTF-8")
_MARKS: Final = {
    b"\xef\xbb\xbf": Encoding("utf-8-sig", "UTF-8"),
    b"\xff\xfe\0\0": Encoding("utf-32", "UTF-32"),
    b"\0\0\xfe\xff": Encoding("utf-32", "UTF-32"),
    b"\xff\xfe": Encoding("utf-16", "UTF-16"),
    b"\xfe\xff": Encoding("utf-16", "UTF-16"),
}
_WITHOUT_MARK: Final = (Encoding("utf-16-le", "UTF-16"), Encoding("utf-16-be", "UTF-16"))
_OLD: Final = {
    "cp1252": "Western (Windows-1252)",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp1256": "Arabic (Windows-1256)",
    "cp1257": "Baltic (Windows-1257)",
    "cp1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (Windows-874)",
    "gb18030": "Chinese, simplified (GB 18030)",
    "big5hkscs": "Chinese, traditional (Big5)",
    "cp932": "Japanese (Shift-JIS)",
    "euc_jis_2004": "Japanese (EUC-JP)",
    "cp949": "Korean (CP949)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "cp866": "Cyrillic (DOS)",
    "iso8859-5": "Cyrillic (ISO 8859-5)",
    "cp850": "Western (DOS)",
    "mac-roman": "Western (Macintosh)",
}
"""What systems and spreadsheets write, or a part of it: cp1252 reads all that ISO 8859-1 can say."""
_MOST: Final = 12
"""Readings of a file: among so many of the likeliest the right one is, and more are too many to choose from."""
_PIECE: Final = 1 << 14
"""Bytes that are read at once: until they are, Python's lock is held, and devices wait."""
_TELLING: Final = 1 << 16
"""Bytes by which an encoding is guessed."""
_NO_LETTERS: Final = frozenset({"Cc", "Cn", "Co", "Cs"})


def encoding_called(name: str) -> Encoding | None:
    """One of ours by its name."""
    if name in _OLD:
        return Encoding(name, _OLD[name])
    return next((one for one in (_UTF_8, *_MARKS.values(), *_WITHOUT_MARK) if one.name == name), None)


def read_as(content: bytes, encoding: Encoding) -> str | None:
    """None where the bytes are no text in that encoding."""
    decoder = getincrementaldecoder(encoding.name)()
    letters: set[str] = set()
    parts = []
    try:
        for start in range(0, len(content) + 1, _PIECE):
            parts.append(decoder.decode(content[start : start + _PIECE], start + _PIECE > len(content)))
            letters.update(parts[-1])
    except UnicodeError:  # also what has no mark and should have one
        return None
    if encoding.name not in _OLD:
        return None if "\0" in letters else "".join(parts)
    return None if any(one >= "\x80" and category(one) in _NO_LETTERS for one in letters) else "".join(parts)


def readings(content: bytes) -> Readings:
    """What the bytes may say."""
    told = [encoding for mark, encoding in _MARKS.items() if content.startswith(mark)][:1] or [*_by_zeros(content)]
    is_old = not told and b"\0" not in content and not content.isascii()
    found = [Reading(one, text) for one in told or [_UTF_8] if (text := read_as(content, one)) is not None]
    is_sure = bool(found)
    texts = {reading.text for reading in found}
    for encoding in _ranked(content) if is_old else ():
        if len(found) == _MOST:
            break
        text = read_as(content, encoding)
        if text is not None and text not in texts:
            texts.add(text)
            found.append(Reading(encoding, text))
    return Readings(found, is_sure)


def _by_zeros(content: bytes) -> Iterator[Encoding]:
    """UTF-16 without its mark: a table begins with letters of A to Z, of whose two bytes one is zero."""
    little, big = _WITHOUT_MARK
    if content[1:4:2] == b"\0\0" != content[0:3:2]:
        yield little
    if content[0:3:2] == b"\0\0" != content[1:4:2]:
        yield big


def _ranked(content: bytes) -> Iterator[Encoding]:
    """The old encodings, the likeliest first."""
    if len(content) > _TELLING:  # only where it says more than any encoding would
        content = b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:_TELLING]
    likely = chardet.detect_all(content, ignore_threshold=True, include_encodings=_OLD, compat_names=False)
    names = [name for one in likely if (name := one["encoding"]) in _OLD]
    for name in dict.fromkeys([*names, *_OLD]):
        yield Encoding(name, _OLD[name])
