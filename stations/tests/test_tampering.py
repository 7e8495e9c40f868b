"""A byte changed anywhere in body, timestamp or signature is refused, whatever the byte."""

import base64
import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from stations.errors import InvalidSignature, InvalidTimestamp, TimestampExpired
from stations.partner.signing import Signed
from stations.tests.cast import SECRET, SETTINGS, compact, full, signature

pytestmark = pytest.mark.sqlite_only

NOW = 1_698_345_600
BODY = compact(full(at=NOW))


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


def signed(body: bytes, timestamp: str, given_signature: str) -> Signed:
    headers = {"x-timestamp": timestamp, "x-signature": given_signature, "content-type": "application/json"}
    return Signed.of(body, headers)


@given(position=st.integers(0, len(BODY) - 1), change=st.integers(1, 255))
def test_body(position: int, change: int) -> None:
    changed = bytearray(BODY)
    changed[position] ^= change
    with pytest.raises(InvalidSignature):
        signed(bytes(changed), str(NOW), signature(BODY, str(NOW))).check(NOW)


@given(body=st.binary(max_size=200), cut=st.integers(0, 9))
def test_the_border_of_body_and_timestamp(body: bytes, cut: int) -> None:
    """What is signed is one run of bytes: digits moved from the timestamp into the body sign the same."""
    text = str(NOW)
    moved = signed(body + text[:cut].encode(), text[cut:], signature(body, text))
    if cut == 0:
        moved.check(NOW)
    else:  # a clock of 1970 does not pass
        with pytest.raises((TimestampExpired, InvalidTimestamp)):
            moved.check(NOW)


@given(position=st.integers(0, 9), digit=st.integers(0, 9))
def test_timestamp(position: int, digit: int) -> None:
    text = str(NOW)
    changed = text[:position] + str(digit) + text[position + 1 :]
    if changed == text:
        return
    with pytest.raises((InvalidSignature, TimestampExpired)):
        signed(BODY, changed, signature(BODY, text)).check(NOW)


@given(position=st.integers(0, 43), letter=st.characters(min_codepoint=33, max_codepoint=126))
def test_signature(position: int, letter: str) -> None:
    right = signature(BODY, str(NOW))
    changed = right[:position] + letter + right[position + 1 :]
    if changed == right:
        return
    with pytest.raises(InvalidSignature):
        signed(BODY, str(NOW), changed).check(NOW)


@hypothesis_settings(max_examples=200)
@given(body=st.binary(max_size=2000), timestamp=st.integers(NOW - 300, NOW + 300))
def test_any_bytes_that_are_signed_right_pass(body: bytes, timestamp: int) -> None:
    signed(body, str(timestamp), signature(body, str(timestamp))).check(NOW)


@given(text=st.text(max_size=60))
def test_any_other_text_is_no_signature(text: str) -> None:
    if text and text != signature(BODY, str(NOW)):
        with pytest.raises(InvalidSignature):
            signed(BODY, str(NOW), text).check(NOW)


def test_a_secret_of_any_bytes(settings: Settings) -> None:
    key = b"\xff\xfe of a partner \xc3\xa4 who thinks in bytes"
    settings.IOT_SYSTEM_SIGNATURE_SECRET = os.fsdecode(key)  # as os.environ has it
    made = base64.b64encode(hmac.new(key, BODY + str(NOW).encode(), hashlib.sha256).digest()).decode()
    assert signed(BODY, str(NOW), made).check(NOW)


def test_the_secret_of_the_tests_is_in_force(settings: Settings) -> None:
    assert settings.IOT_SYSTEM_SIGNATURE_SECRET == SECRET
