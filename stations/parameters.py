"""What staff ask of the lists of stations and power banks."""

from collections.abc import Sequence
from typing import Any, Final, Self

from ozone.webapi.parameters import Choice, Query, QueryString, Text, Whole
from ozone.wire.errors import Invalid
from stations.errors import InvalidMessage
from stations.models import PowerBank, Station

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000


class Limit(Whole[int]):
    takes_empty = True


class SerialNumber(Text):
    def parse(self, text: str, asked: Any) -> str | None:
        if "\0" in text:  # no database can look for it
            raise self.refusal("U+0000 stands in no serial number.")
        return text


def _status(choices: Sequence[str]) -> Choice[str | None]:
    return Choice(choices, sentence=f"Must be one of {', '.join(choices)}.")


class PageQuery(QueryString):
    limit = Limit(
        1,
        MAX_LIMIT,
        default=DEFAULT_LIMIT,
        says="1 to 1,000; 100 unless told",
        sentence=f"Must be a whole number from 1 to {MAX_LIMIT:,}.",
    )
    cursor = SerialNumber("From `next`")

    @classmethod
    def read(cls, query: Query) -> Self:
        """Raises InvalidMessage: refusals of this API have their own shape."""
        try:
            return super().read(query)
        except Invalid as error:
            raise InvalidMessage({name: said[0] for name, said in (error.errors or {}).items()}) from None


class StationsQuery(PageQuery):
    status = _status(Station.Status.values)


class PowerBanksQuery(PageQuery):
    status = _status(PowerBank.Status.values)
    station = SerialNumber("A serial number")
