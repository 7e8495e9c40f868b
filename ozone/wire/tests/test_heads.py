"""The head of a request: how much there may be of it, what may stand once, what is never looked at."""

from typing import Any

import pytest

from ozone.wire.errors import ApiError, DuplicateHeader, HeadersTooLarge, Invalid, WrongContentType
from ozone.wire.heads import HEAD_LIMIT, LONGEST_CONTENT_TYPE, fold_headers, tidy

ONCE = [b"authorization", b"content-type", b"host", b"idempotency-key", b"x-signature", b"x-timestamp", b"origin"]


@pytest.mark.parametrize("name", ONCE)
def test_one_value_twice_counts_once(name: bytes) -> None:
    assert fold_headers([(name, b"a"), (b"x", b"1"), (name, b"a")]) == {name.decode(): "a", "x": "1"}


@pytest.mark.parametrize("name", ONCE)
def test_two_values_are_refused_by_name(name: bytes) -> None:
    with pytest.raises(DuplicateHeader, match=name.decode()):
        fold_headers([(name, b"a"), (name, b"b")])


def test_lists_are_joined() -> None:
    raw = [(b"x-forwarded-for", b"1.1.1.1"), (b"cookie", b"a=1"), (b"x-forwarded-for", b"2.2.2.2"), (b"cookie", b"b=2")]
    assert fold_headers(raw) == {"x-forwarded-for": "1.1.1.1,2.2.2.2", "cookie": "a=1; b=2"}


@pytest.mark.parametrize(
    "raw",
    [
        [(b"x", b"a" * HEAD_LIMIT)],
        [(b"a" * HEAD_LIMIT, b"b")],
        [(b"x%d" % index, b"a" * 200) for index in range(90)],
        [(b"x", b"a" * 200)] * 90,
        [(b"authorization", b"a" * 9000), (b"authorization", b"b" * 9000)],
    ],
)
def test_sixteen_kibibytes_in_all(raw: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(HeadersTooLarge):
        fold_headers(raw)


def test_the_address_counts() -> None:
    raw = [(b"x", b"a" * (HEAD_LIMIT - 1001))]
    assert fold_headers(raw, 1000)
    with pytest.raises(HeadersTooLarge):
        fold_headers(raw, 1001)


def environ(**more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", **more}


def test_what_another_server_has_joined() -> None:
    told = environ(HTTP_AUTHORIZATION="Bearer a,Bearer a", CONTENT_TYPE="application/json, application/json")
    tidy(told)
    assert (told["HTTP_AUTHORIZATION"], told["CONTENT_TYPE"]) == ("Bearer a", "application/json")
    with pytest.raises(DuplicateHeader):
        tidy(environ(HTTP_AUTHORIZATION="Bearer a,Bearer b"))


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({"HTTP_X": "a" * HEAD_LIMIT}, HeadersTooLarge),
        ({"PATH_INFO": "/" + "a" * HEAD_LIMIT}, HeadersTooLarge),
        ({"QUERY_STRING": "a" * HEAD_LIMIT}, HeadersTooLarge),
        ({"REQUEST_METHOD": "A" * HEAD_LIMIT}, HeadersTooLarge),
        ({"CONTENT_TYPE": ";" * (LONGEST_CONTENT_TYPE + 1)}, WrongContentType),
    ],
)
def test_too_much_of_an_environment(told: dict[str, str], refusal: type[ApiError]) -> None:
    with pytest.raises(refusal):
        tidy(environ(**told))


def test_too_many_parameters() -> None:
    tidy(environ(QUERY_STRING="&".join(["a=1"] * 1000)))
    with pytest.raises(Invalid, match="1,000 parameters"):
        tidy(environ(QUERY_STRING="&".join(["a=1"] * 1001)))


def test_cookies_with_quotes_are_dropped() -> None:
    told = environ(HTTP_COOKIE='sessionid=abc; theirs="' + '\\"' * 4000 + '"; csrftoken=def; x=\\101')
    tidy(told)
    assert told["HTTP_COOKIE"] == "sessionid=abc; csrftoken=def"
