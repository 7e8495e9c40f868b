"""A message on its way, and how it fared. Whoever sends one touches no database."""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Outgoing:
    """`id` is the same at every try. `secret`: of a webhook its key, of a chat its whole address; never shown."""

    id: str
    kind: str
    target: str
    secret: bytes = field(repr=False)
    subject: str
    text: str
    body: bytes
    """For a webhook: the JSON, the same at every try."""
    stop_url: str
    html: str = ""
    """For e-mail: the text again."""


class Outcome(NamedTuple):
    """How a try ended. `code`: what the other side answered (HTTP or SMTP), if it did. `is_unknown`: it may have come
    through all the same. `retry_after`: seconds that the other side asks for. `is_gone`: it wants no more."""

    is_sent: bool
    code: int | None = None
    error: str = ""
    is_unknown: bool = False
    retry_after: float = 0.0
    is_gone: bool = False
