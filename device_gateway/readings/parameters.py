"""What readers of a device's history ask for."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from device_gateway.readings.queries import BUCKETS
from ozone.webapi.parameters import Instant, Parameter, QueryString, Whole
from ozone.wire.errors import Invalid
from ozone.wire.times import iso, parse_iso

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000
MAX_FIELDS: Final = 50


class Limit(Whole[int]):
    takes_empty = True

    def refusal(self, sentence: str) -> Invalid:
        return Invalid(f"limit is 1 to {MAX_LIMIT:,}.", errors={"limit": [sentence]})


def make_cursor(moment: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(f"{iso(moment)} {number}".encode()).decode().rstrip("=")


class ReadingCursor(Parameter[tuple[datetime, int] | None]):
    """What `make_cursor` has written."""

    takes_empty = True

    def parse(self, text: str, asked: Any) -> tuple[datetime, int]:
        try:
            when, _, number = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
            moment = parse_iso(when)
            if moment is not None and 0 < int(number) < 2**63:
                return moment.astimezone(UTC), int(number)
        except (binascii.Error, ValueError):
            pass
        raise Invalid("cursor is not one of ours: take it from `next`.", errors={"cursor": ["Not a cursor."]})


class BucketName(Parameter[str]):
    choices = tuple(BUCKETS)

    def absent(self) -> str:
        raise self.refusal("Must be minute, hour or day.")

    def parse(self, text: str, asked: Any) -> str:
        return text if text in BUCKETS else self.absent()


class FieldNames(Parameter[list[str]]):
    """Names separated by commas, each once."""

    def absent(self) -> list[str]:
        return self.parse("", None)

    def parse(self, text: str, asked: Any) -> list[str]:
        names = list(dict.fromkeys(name for name in text.split(",") if name))
        if not 1 <= len(names) <= MAX_FIELDS:
            raise self.refusal(f"Name the numeric fields, separated by commas, {MAX_FIELDS} at most.")
        return names


class TimesQuery(QueryString):
    start = Instant("ISO 8601, inclusive, by occurred_at; a date is its whole day")
    end = Instant("ISO 8601, inclusive, by occurred_at; a date is its whole day", is_end=True)


class PageQuery(QueryString):
    limit = Limit(
        1,
        MAX_LIMIT,
        default=DEFAULT_LIMIT,
        says="1 to 5,000; 500 unless told",
        sentence=f"A whole number from 1 to {MAX_LIMIT}.",
    )
    cursor = ReadingCursor("From `next`")


class BucketsQuery(QueryString):
    names_all = True

    bucket = BucketName("UTC")
    fields = FieldNames("With bucket: up to 50 names separated by commas")

    @classmethod
    def refusal(cls, errors: Mapping[str, Sequence[str]]) -> Invalid:
        return Invalid("bucket and fields go together.", errors=errors)
