"""What stands in the paths of section 2."""

from typing import Final

DEVICE: Final = r"(?P<name>[^/]+)"
TARGET: Final = r"(?P<device_id>[^/]+)"
COMMAND: Final = r"commands/(?P<command_id>[^/]+)"
NUMBER: Final = r"(?P<number>[0-9]{1,18})"
