"""The first page: how many devices there are, and what to do next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from pages.frame import signed_in_page
from pages.queries import overview


@signed_in_page
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/start.html", {"overview": overview(request.user, timezone.now())})
