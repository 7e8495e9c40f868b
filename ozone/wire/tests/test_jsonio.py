"""JSON in and out: everything section 0 of the contract refuses, by its exact code, and nothing else."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ozone.wire import jsonio
from ozone.wire.errors import MalformedJson

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=25,
)


def refusal(body: bytes) -> str:
    with pytest.raises(MalformedJson) as caught:
        jsonio.decode(body)
    assert caught.value.status == 400
    assert caught.value.detail
    return caught.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a": 1,}',
        b"[1,]",
        b"{'a': 1}",
        b'{"a": 1} x',
        b"NaN",
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b"[-1e999]",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[1.]",
        b'["a\nb"]',
        b'["\x00"]',
        b"\x00",
        b'{"a": 1}\x00',
        b"\xef\xbb\xbf{}",
        b'["\xff"]',
        b'["\xed\xa0\x80"]',  # a surrogate in UTF-8
        b'["\\x41"]',
        b'"\\ud800"',
        b'["\\ud800"]',
        b'["\\ud800x"]',
        b'["\\udc00\\ud800"]',
        b'{"\\ud800": 1}',
    ],
)
def test_not_json(body: bytes) -> None:
    assert refusal(body) == "malformed_json"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'["\\u0000"]', "nul_character"),
        (b'{"\\u0000": 1}', "nul_character"),
        (b'{"a": {"b": ["x\\u0000y"]}}', "nul_character"),
        (b'["\\\\\\u0000"]', "nul_character"),  # an escaped backslash, then the escape
        (b"[9223372036854775808]", "integer_too_large"),
        (b"[-9223372036854775809]", "integer_too_large"),
        (b"[18446744073709551615]", "integer_too_large"),
        (b"[" + b"9" * 400 + b"]", "integer_too_large"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b'[{"a":' * 16 + b"[]" + b"}]" * 16, "too_deep"),
        # As many brackets as an array of 40 objects has.
        (b"[" + b"0," * 39 + b"[" * 40 + b"]" * 41, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b"[" + b",".join([b"[]"] * 10_000) + b"]", "too_many_values"),
        (b"[" + b",".join([b'{"a":{}}'] * 5_000) + b"]", "too_many_values"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep"),
        *[
            (b"[" + b",".join([number] * 1_001) + b"]", "too_many_values")
            for number in (b"1e300", b"4.9E-324", b"1e+308")
        ],
        (b"[" + b",".join([b"1e23"] * 10_001) + b"]", "too_many_values"),
    ],
)
def test_refused_with_a_code(body: bytes, code: str) -> None:
    assert refusal(body) == code


@pytest.mark.parametrize(
    "value",
    [
        [1e300] * 1_000,
        [1.5e-7] * 10_000,
        ["1e300", "e-320", 'e300\\" e300'] * 1_000,  # texts
        [{"1e300": number} for number in range(1_000)],
    ],
)
def test_exponents_that_are_not_too_many(value: Any) -> None:
    assert jsonio.decode(json.dumps(value).encode()) == value


def test_an_integer_of_very_many_digits_is_refused_and_not_computed() -> None:
    assert refusal(b"[" + b"9" * 200_000 + b"]") in ("integer_too_large", "malformed_json")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'["\\\\u0000"]', ["\\u0000"]),  # a backslash, then "u0000"
        (b'["\\\\ud800"]', ["\\ud800"]),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[12345678901234567890.5, 1e19]", [12345678901234567890.5, 1e19]),
        (b'["12345678901234567890"]', ["12345678901234567890"]),
        (b' {"a": 1, "a": 2} ', {"a": 2}),
        (b'["\x7f\xc3\xa9"]', ["\x7fé"]),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
        (b"[" + b"[[]]," * 40 + b"[]]", [[[]]] * 40 + [[]]),  # many brackets, and not deep
    ],
)
def test_accepted(body: bytes, value: Any) -> None:
    assert jsonio.decode(body) == value


@given(VALUES)
def test_what_json_dumps_makes_is_read_equal(value: Any) -> None:
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert jsonio.decode(body.encode()) == value
    assert json.loads(jsonio.encode(value)) == value


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = jsonio.decode(body)
    except MalformedJson:
        return
    assert json.loads(body) == value


@given(st.lists(st.sampled_from([rb"\ud800", rb"\udbff", rb"\udc00", rb"\ud83d", rb"\ude00", rb"\n", b"x", rb"\\"])))
def test_half_a_surrogate_pair_is_never_read(pieces: list[bytes]) -> None:
    body = b'["' + b"".join(pieces) + b'"]'
    try:
        [text] = jsonio.decode(body)
    except MalformedJson:
        with pytest.raises(UnicodeEncodeError):
            json.loads(body)[0].encode()
    else:
        assert text.encode().decode() == json.loads(body)[0]


@pytest.mark.parametrize("inner", [b"[]", b'{"a": {}}'])
def test_depth_is_counted_by_level_and_not_by_bracket(inner: bytes) -> None:
    deep = 31 if inner == b"[]" else 30
    assert jsonio.decode(b"[" * deep + inner + b"]" * deep)
    assert refusal(b"[" * (deep + 1) + inner + b"]" * (deep + 1)) == "too_deep"


def test_a_key_that_stands_twice() -> None:
    assert jsonio.decode_unique(b'{"a": {"b": 1}, "c": {"b": 2}}') == {"a": {"b": 1}, "c": {"b": 2}}
    with pytest.raises(MalformedJson) as caught:
        jsonio.decode_unique(b'[{"a": {"b": 1, "b": 1}}]')
    assert caught.value.code == "duplicate_key"
    assert "'b'" in caught.value.detail


def test_the_elements_of_an_array_as_they_were_sent() -> None:
    body = '[ {"a":1.50, "b" : "é\\u00e9"} ,{"a":1,"a":2}, [] ]'.encode()
    assert [text.strip() for text in jsonio.split_array(body)] == [
        '{"a":1.50, "b" : "é\\u00e9"}',
        '{"a":1,"a":2}',
        "[]",
    ]


def test_encoding_is_compact_utf8() -> None:
    assert jsonio.encode({"a": ["é", None, 1.5]}) == '{"a":["é",null,1.5]}'.encode()


def test_one_key_twice_among_many_takes_no_time() -> None:
    body = ("{" + ",".join(f'"{index:x}":0' for index in range(20_000)) + ',"z":0,"z":0}').encode()
    began = time.process_time()
    with pytest.raises(MalformedJson, match="A key stands twice"):
        jsonio.decode_unique(body)
    # Counting each key took five seconds.
    assert time.process_time() - began < 1


PIECES = ["a", "b", ":", "\\", "\\\\", '"', "u003a", "\\u003a", "é", "\U0001f4a9", "{", '":0', ""]


@pytest.mark.parametrize("seed", range(3))
def test_what_stands_twice_is_found_however_it_is_written(seed: int) -> None:
    """Against Python's own decoder, which tells of every key."""
    chance = random.Random(seed)

    def text() -> str:
        plain = json.dumps("".join(chance.choices(PIECES, k=chance.randrange(3))), ensure_ascii=chance.random() < 0.5)
        # Colons, backslashes before them or not, as escapes in either case.
        return "".join(
            chance.choice([":", "\\u003a", "\\u003A"]) if character == ":" else character for character in plain
        )

    def value(depth: int) -> str:
        kind = chance.randrange(4 if depth else 2)
        if kind == 0:
            return text()
        if kind == 1:
            return chance.choice(["0", "null", "true", "1.5", "-7"])
        if kind == 2:
            return "[" + ",".join(value(depth - 1) for _ in range(chance.randrange(4))) + "]"
        return "{" + ", ".join(f"{text()} : {value(depth - 1)}" for _ in range(chance.randrange(4))) + "}"

    def has_twice(body: str) -> bool:
        found = []

        def look(pairs: list[tuple[str, object]]) -> None:
            found.append(len({key for key, _ in pairs}) < len(pairs))

        json.loads(body, object_pairs_hook=look)
        return any(found)

    told = []
    for _ in range(2_000):
        body = value(3)
        told.append(has_twice(body))
        if told[-1]:
            with pytest.raises(MalformedJson, match="stands twice"):
                jsonio.decode_unique(body.encode())
        else:
            assert jsonio.decode_unique(body.encode()) == json.loads(body)
    assert 100 < sum(told) < 1_900


@pytest.mark.parametrize("number", [0, 1, 1_000, 1_001, 2_500])
def test_rows_that_are_made_meanwhile(number: int) -> None:
    whole = [{"n": n, "more": [n, "x"]} for n in range(number)]
    found = {"results": jsonio.packed(iter(whole)), "next": None}
    assert jsonio.encode_in_parts(found) == jsonio.encode({"results": whole, "next": None})


@dataclass(eq=False)
class _Row:
    n: int


def test_of_rows_that_are_made_meanwhile_a_thousand_are_held() -> None:
    made: WeakSet[_Row] = WeakSet()
    held = []

    def rows() -> Iterator[_Row]:
        for n in range(5_000):
            row = _Row(n)
            made.add(row)
            held.append(len(made))
            yield row

    jsonio.packed(rows())
    assert 1_000 <= max(held) <= 2_001
