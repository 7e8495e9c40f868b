"""The cross-site rule (contract, section 0): which page may act with a browser's cookie, or sign in through it.

It stands in the place of Django's CSRF token, so that a client with a cookie jar needs no second cookie.
"""

from django.http import HttpRequest

from ozone.accounts.callers import headers_of, peer_of
from ozone.wire.conf import options
from ozone.wire.errors import Forbidden
from ozone.wire.http import public_host, public_scheme


def check(request: HttpRequest) -> None:
    """Raises Forbidden, code `cross_site`, for a request that a page of another site may have made."""
    headers = headers_of(request)
    origin = headers.get("origin")
    fetch_site = headers.get("sec-fetch-site")
    if origin in options().CORS_ALLOWED_ORIGINS or fetch_site in ("same-origin", "none"):
        return
    peer = peer_of(request)
    if origin == f"{public_scheme(request.scheme or 'http', peer, headers)}://{public_host(peer, headers)}":
        return
    if origin is None and fetch_site is None:  # no browser
        return
    raise Forbidden(
        "This request came from a page of another site. Add its origin to CORS_ALLOWED_ORIGINS to let it in.",
        code="cross_site",
    )
