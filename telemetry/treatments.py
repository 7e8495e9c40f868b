"""What customers choose between, and how its counters are called on the wire: in this order everywhere."""

from typing import Final

TREATMENTS: Final = ("BASIC", "STANDARD", "PREMIUM")
COUNTERS: Final = ("basic", "standard", "premium")
