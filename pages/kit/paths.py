"""What stands in the paths of more than one page, and where a path is for those who are on none."""

from typing import Final

from django.http import HttpRequest

from ozone.wire.http import public_url

DEVICE: Final = r"^devices/(?P<name>[^/]+)"
NUMBER: Final = r"(?P<number>[0-9]{1,18})"


def address_of(request: HttpRequest, path: str) -> str:
    """Scheme, host and path as they are to be copied, printed or scanned."""
    return public_url(path, f"{request.scheme}://{request.get_host()}")
