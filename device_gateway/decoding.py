"""How a stored reading is read: on PostgreSQL a number may come back written otherwise than it was sent."""

import json
from typing import Any


class ReadingDecoder(json.JSONDecoder):
    """Integers beyond 64 bits were floats: the wire refuses such integers, and PostgreSQL writes 1e300 out in full."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_int=lambda digits: int(digits) if len(digits) < 19 else _int_or_float(digits), **options)


def _int_or_float(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(digits)
