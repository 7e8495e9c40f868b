"""The link in each message that ends them, for whoever reads them: nobody signs in for it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from alerts.channels.codes import stopped_by
from alerts.subscriptions import services
from ozone.wire.errors import NotFound
from pages.kit.frame import page


@page
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Looking at it stops nothing: mail programs look at links by themselves. Its button does, and so does the mail
    program's own (RFC 8058)."""
    channel = stopped_by(token)
    if channel is None:
        raise NotFound("This link stops nothing: the channel is gone, or a part of the link is missing.")
    if request.method == "POST":
        services.stop(channel, timezone.now())
        channel.refresh_from_db()
    return render(request, "pages/channels/stop.html", {"channel": channel})
