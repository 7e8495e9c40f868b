"""What stands in the paths of more than one page."""

from typing import Final

DEVICE: Final = r"^devices/(?P<name>[^/]+)"
NUMBER: Final = r"(?P<number>[0-9]{1,18})"
