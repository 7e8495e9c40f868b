"""Bodies before they are parsed: size, gzip, content type."""

import gzip
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from ozone.wire.bodies import check_length, decompress, require_json
from ozone.wire.errors import BadEncoding, BodyTooLarge, WrongContentType

GZIP = {"content-encoding": "gzip"}
LIMIT = 256 * 1024


class TestLength:
    @pytest.mark.parametrize("length", ["0", "262144", "", "abc", "-1", "²", "1" * 5 + "x"])
    def test_passes(self, length: str) -> None:
        check_length({"content-length": length})

    def test_absent(self) -> None:
        check_length({})

    @pytest.mark.parametrize("length", ["262145", "99999999999999999999", "9" * 5000])
    def test_too_long(self, length: str) -> None:
        with pytest.raises(BodyTooLarge) as caught:
            check_length({"content-length": length})
        assert caught.value.body() == {"detail": "The body is larger than 256 KiB.", "code": "body_too_large"}
        assert caught.value.status == 413

    def test_the_limit_is_a_setting(self, settings: Settings) -> None:
        settings.BODY_LIMIT = 1024
        check_length({"content-length": "1024"})
        with pytest.raises(BodyTooLarge):
            check_length({"content-length": "1025"})


class TestGzip:
    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
    def test_it_works(self, encoding: str) -> None:
        assert decompress(gzip.compress(b'{"a": 1}'), {"content-encoding": encoding}) == b'{"a": 1}'

    @pytest.mark.parametrize("headers", [{}, {"content-encoding": ""}, {"content-encoding": "identity"}])
    def test_none(self, headers: Mapping[str, str]) -> None:
        assert decompress(b"\x1f\x8bplain", headers) == b"\x1f\x8bplain"

    @pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "compress"])
    def test_another_encoding(self, encoding: str) -> None:
        with pytest.raises(WrongContentType) as caught:
            decompress(b"{}", {"content-encoding": encoding})
        assert (caught.value.status, caught.value.code) == (415, "wrong_content_encoding")

    def test_exactly_the_limit(self) -> None:
        plain = b" " * LIMIT
        assert decompress(gzip.compress(plain), GZIP) == plain
        with pytest.raises(BodyTooLarge):
            decompress(gzip.compress(plain + b" "), GZIP)

    def test_several_members(self) -> None:
        assert decompress(gzip.compress(b"[1,") + gzip.compress(b"2]"), GZIP) == b"[1,2]"
        half = gzip.compress(b" " * (LIMIT // 2))
        assert len(decompress(half + half, GZIP)) == LIMIT
        with pytest.raises(BodyTooLarge):
            decompress(half + half + gzip.compress(b" "), GZIP)

    def test_no_more_members_than_are_cheap(self) -> None:
        assert decompress(gzip.compress(b"x") * 32, GZIP) == b"x" * 32
        with pytest.raises(BadEncoding):
            decompress(gzip.compress(b"x") * 33, GZIP)

    def test_a_bomb_costs_no_more_than_the_limit(self) -> None:
        bomb = gzip.compress(b"\0" * 50_000_000)
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLarge):
                decompress(bomb, GZIP)
            assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
        finally:
            tracemalloc.stop()

    def test_an_empty_body(self) -> None:
        assert decompress(b"", GZIP) == b""
        assert decompress(gzip.compress(b""), GZIP) == b""

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b"\x1f\x8b",
            gzip.compress(b'{"a": 1}', mtime=0)[:-1],
            gzip.compress(b'{"a": 1}', mtime=0)[:12],
            gzip.compress(b"{}", mtime=0) + b"trailing",
            zlib.compress(b"{}"),
            gzip.compress(b"{}", mtime=0)[:-8] + b"\0" * 8,  # a wrong checksum
        ],
    )
    def test_broken(self, body: bytes) -> None:
        with pytest.raises(BadEncoding) as caught:
            decompress(body, GZIP)
        assert (caught.value.status, caught.value.code) == (400, "bad_encoding")

    @given(st.binary(max_size=300), st.integers(1, 9))
    def test_round_trip(self, plain: bytes, level: int) -> None:
        assert decompress(gzip.compress(plain, level), GZIP) == plain

    @given(st.binary(max_size=60))
    def test_garbage_is_refused_or_read(self, body: bytes) -> None:
        with suppress(BadEncoding):
            decompress(b"\x1f\x8b\x08" + body, GZIP)


class TestContentType:
    @pytest.mark.parametrize(
        "kind",
        [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
            "application/json; charset=utf-8; profile=x",
            "application/json; charset=us-ascii",
            "application/json; indent=4",
            "application/vnd.ozone+json",
        ],
    )
    def test_json(self, kind: str) -> None:
        require_json(b"{}", {"content-type": kind})

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json; charset=latin-1",
            "application/json; charset=utf-16",
        ],
    )
    def test_something_else(self, kind: str) -> None:
        with pytest.raises(WrongContentType) as caught:
            require_json(b"{}", {"content-type": kind})
        assert caught.value.body() == {
            "detail": "Send the body as application/json (UTF-8).",
            "code": "wrong_content_type",
        }
        assert caught.value.status == 415

    @pytest.mark.parametrize("headers", [{}, {"content-type": ""}, {"content-type": "text/plain"}])
    def test_no_body_needs_none(self, headers: Mapping[str, str]) -> None:
        require_json(b"", headers)
