"""Query strings: a class declares each parameter once, for OpenAPI and for whoever reads it.

    class EventsQuery(QueryString):
        days = Whole(1, MAX_DAYS, default=7, says="By arrival")
        start = Instant("By occurred_at")

`EventsQuery.parameters` describes it, `EventsQuery.read(request.query_params).days` is an int.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Generic, NamedTuple, Never, Self, TypeVar, overload

from drf_spectacular.utils import OpenApiParameter

from ozone.wire.errors import Invalid
from ozone.wire.times import parse_query

MAX_DAYS: Final = 36_500
BIGGEST: Final = 2**63 - 1
"""The greatest number of a row."""
BOM: Final = "\ufeff"
"""With which a CSV file begins where `bom=true` asks for it: a spreadsheet sees by it that the file is UTF-8."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = re.compile(r"([0-9]{1,16})-([0-9]{1,18})").fullmatch
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}

Query = Mapping[str, str]
T = TypeVar("T")


def given(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions that were asked for: those that are not None."""
    return {name: value for name, value in conditions.items() if value is not None}


class Parameter(Generic[T]):
    """One parameter, named as the attribute that declares it; `says` is its description.

    A subclass reads its text in `parse`. What is absent, or empty unless `takes_empty`, is `default`.
    """

    kind: ClassVar[type] = str
    choices: Sequence[str] | None = None
    takes_empty: ClassVar[bool] = False
    is_required: ClassVar[bool] = False
    name: str

    def __init__(self, says: str = "", default: Any = None) -> None:
        self.says = says
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, asked: None, owner: type) -> Self: ...
    @overload
    def __get__(self, asked: "QueryString", owner: type) -> T: ...
    def __get__(self, asked: "QueryString | None", owner: type) -> Self | T:
        return self if asked is None else asked.values[self.name]

    def __set__(self, asked: "QueryString", value: Never) -> None:
        raise AttributeError(f"{self.name} is what was asked for: it cannot be changed.")

    @property
    def described(self) -> OpenApiParameter:
        return OpenApiParameter(
            self.name, self.kind, description=self.says, enum=self.choices, required=self.is_required
        )

    def read(self, text: str | None, asked: Any) -> T:
        """`asked` has the parameters that are declared before this one."""
        if text is None or not (text or self.takes_empty):
            return self.absent()
        return self.parse(text, asked)

    def absent(self) -> T:
        value: T = self.default
        return value

    def parse(self, text: str, asked: Any) -> T:
        """Raises Invalid naming the parameter."""
        raise NotImplementedError

    def refusal(self, sentence: str) -> Invalid:
        return Invalid.named(self.name, sentence)


class Text(Parameter[str | None]):
    def parse(self, text: str, asked: Any) -> str | None:
        return text


class Needed(Parameter[str]):
    """A text that has to be sent; `sentence` asks for it."""

    is_required = True

    def __init__(self, sentence: str, says: str = "") -> None:
        super().__init__(says)
        self.sentence = sentence

    def absent(self) -> str:
        raise self.refusal(self.sentence)

    def parse(self, text: str, asked: Any) -> str:
        return text


class Whole(Parameter[T]):
    """A whole number from `low` to `high`; `sentence` refuses others."""

    kind = int

    @overload
    def __init__(
        self: "Whole[int | None]", low: int, high: int, *, default: None = ..., says: str = ..., sentence: str = ...
    ) -> None: ...
    @overload
    def __init__(
        self: "Whole[int]", low: int, high: int, *, default: int, says: str = ..., sentence: str = ...
    ) -> None: ...
    def __init__(self, low: int, high: int, *, default: int | None = None, says: str = "", sentence: str = "") -> None:
        super().__init__(says, default)
        self.low, self.high = low, high
        self.sentence = sentence or f"A whole number from {low:,} to {high:,}."

    def parse(self, text: str, asked: Any) -> T:
        if text.isascii() and text.isdigit() and len(text) < 19 and self.low <= int(text) <= self.high:
            number: Any = int(text)
            return number
        raise self.refusal(self.sentence)


class Flag(Parameter[T]):
    """true or false. An empty one is false."""

    kind = bool
    takes_empty = True

    @overload
    def __init__(self: "Flag[bool | None]", *, default: None, says: str = ...) -> None: ...
    @overload
    def __init__(self: "Flag[bool]", *, default: bool = ..., says: str = ...) -> None: ...
    def __init__(self, *, default: bool | None = False, says: str = "") -> None:
        super().__init__(says, default)

    def parse(self, text: str, asked: Any) -> T:
        value: Any = _FLAGS.get(text.lower())
        if value is None:
            raise self.refusal("true or false.")
        return value


class Bom(Flag[bool]):
    """Of a CSV file."""

    def __init__(self) -> None:
        super().__init__(says="Begins with a byte order mark, by which spreadsheets see that it is UTF-8")


class Choice(Parameter[T]):
    """One of `choices`; `sentence` refuses others."""

    @overload
    def __init__(
        self: "Choice[str | None]", choices: Sequence[str], *, default: None = ..., says: str = ..., sentence: str = ...
    ) -> None: ...
    @overload
    def __init__(
        self: "Choice[str]", choices: Sequence[str], *, default: str, says: str = ..., sentence: str = ...
    ) -> None: ...
    def __init__(
        self, choices: Sequence[str], *, default: str | None = None, says: str = "", sentence: str = ""
    ) -> None:
        super().__init__(says, default)
        self.choices = choices
        self.sentence = sentence or f"One of {', '.join(choices)}."

    def parse(self, text: str, asked: Any) -> T:
        if text not in (self.choices or ()):
            raise self.refusal(self.sentence)
        value: Any = text
        return value


class Instant(Parameter[datetime | None]):
    """An ISO 8601 time, in UTC where it has no offset; a bare date is its first instant, with `is_end` its last."""

    def __init__(self, says: str = "", *, is_end: bool = False) -> None:
        super().__init__(says)
        self.is_end = is_end

    def parse(self, text: str, asked: Any) -> datetime | None:
        return parse_query(self.name, text, is_end=self.is_end)


class PageCursor(NamedTuple):
    """How far a reader has come in a list: written out, it is a cursor."""

    moment: datetime = EPOCH
    number: int = 0

    def __str__(self) -> str:
        return f"{(self.moment - EPOCH) // _MICROSECOND}-{self.number}"


class Cursor(Parameter[PageCursor | None]):
    def parse(self, text: str, asked: Any) -> PageCursor | None:
        found = _PLACE(text)
        if found is None:
            raise self.refusal("Not a cursor of ours.")
        return PageCursor(EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))


class QueryString:
    """What a request asks for. Its parameters are class attributes, read in the order of declaration."""

    parameters: ClassVar[list[OpenApiParameter]] = []
    """For `extend_schema`."""
    names_all: ClassVar[bool] = False
    """Whether a refusal names every parameter at fault, or the first."""
    _declared: ClassVar[dict[str, Parameter[Any]]] = {}
    values: dict[str, Any]

    def __init_subclass__(cls) -> None:
        members = (member for base in reversed(cls.__mro__) for member in vars(base).items())
        cls._declared = {name: member for name, member in members if isinstance(member, Parameter)}
        cls.parameters = [parameter.described for parameter in cls._declared.values()]

    @classmethod
    def read(cls, query: Query) -> Self:
        """Raises Invalid naming what cannot be read."""
        asked = cls()
        errors: dict[str, Sequence[str]] = {}
        asked.values = {}
        for name, parameter in cls._declared.items():
            try:
                asked.values[name] = parameter.read(query.get(name), asked)
            except Invalid as error:
                if not cls.names_all:
                    raise
                asked.values[name] = None
                errors.update(error.errors or {})
        if errors:
            raise cls.refusal(errors)
        asked.check()
        return asked

    @classmethod
    def refusal(cls, errors: Mapping[str, Sequence[str]]) -> Invalid:
        """The one that names all."""
        return Invalid(" ".join(f"{name}: {sentences[0]}" for name, sentences in errors.items()), errors=errors)

    def check(self) -> None:
        """Raises Invalid where parameters do not go together."""
