"""What treatments cost and what outlets get: the page, and its forms. All of it is staff's."""

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ledger.prices import services
from ledger.prices.book import Book
from ledger.prices.models import Price, Share
from ozone.wire.times import people_zone
from pages.kit.actions import Confirmation, action, sent
from pages.kit.filters import is_number
from pages.kit.frame import staff_page
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.money.forms import PricesForm, ShareForm
from pages.money.screen import change_rows, holding, place_rows, price_words, share_words
from telemetry.models import Outlet
from telemetry.treatments import COUNTERS, TREATMENTS
from telemetry.visible import find

_METHODS: Final = ["GET", "HEAD", "POST"]
FOLLOWS: Final = ("people", "minute")


@staff_page
@require_safe
def prices(request: HttpRequest) -> HttpResponse:
    return live_page(request, "pages/money/prices.html", FOLLOWS, _screen)


def _screen() -> Screen:
    today, book = timezone.now().astimezone(people_zone()).date(), Book.read(with_shares=True)
    return screen(
        lists={
            "places": rows("pages/money/place_row.html", place_rows(book, today)),
            "changes": rows("pages/money/change_row.html", change_rows(today)),
        },
        parts=[part("unit", "pages/money/unit.html", {"currency": book.currency, "has_prices": book.has_prices})],
    )


def _place(request: HttpRequest) -> Outlet | None:
    """The outlet that the address names, to begin with."""
    number = request.GET.get("outlet", "")
    return Outlet.objects.filter(archived_at=None, pk=number).first() if is_number(number) else None


@staff_page
@require_http_methods(_METHODS)
def set_prices(request: HttpRequest) -> HttpResponse:
    now, outlet = timezone.now(), _place(request)
    today, book = now.astimezone(people_zone()).date(), Book.read()
    form = PricesForm(outlet, today, sent(request))
    for name, words in holding(book, outlet.pk if outlet else 0, today).items():
        form.fields[name].widget.attrs["placeholder"] = words

    @transaction.atomic
    def perform(data: dict[str, Any]) -> str:
        for name, treatment in zip(COUNTERS, TREATMENTS, strict=True):
            if data["ends"] or data[name] is not None:
                services.set_price(
                    outlet=data["outlet"], treatment=treatment, amount=data[name], valid_from=data["valid_from"],
                    actor=request.user, now=now,
                )  # fmt: skip
        place = f"at {data['outlet']}" if data["outlet"] else "everywhere"
        return f"Prices {place} are set from {data['valid_from']} on."

    return action(
        request,
        form,
        perform,
        title="Set prices",
        lead=f"In {book.currency}. A field left empty leaves that price as it is. A price of the same day is replaced.",
        back=reverse("prices"),
        button="Set the prices",
    )


@staff_page
@require_http_methods(_METHODS)
def set_share(request: HttpRequest) -> HttpResponse:
    now = timezone.now()

    def perform(data: dict[str, Any]) -> str:
        day, percent = data["valid_from"], data["percent"]
        services.set_share(outlet=data["outlet"], hundredths=percent, valid_from=day, actor=request.user, now=now)
        return f"The share of {data['outlet']} is set from {day} on."

    return action(
        request,
        ShareForm(_place(request), now.astimezone(people_zone()).date(), sent(request)),
        perform,
        title="Set an outlet’s share",
        lead="What the outlet gets of what is earned there. A share of the same day is replaced.",
        back=reverse("prices"),
        button="Set the share",
    )


@staff_page
@require_http_methods(_METHODS)
def delete_price(request: HttpRequest, number: str) -> HttpResponse:
    row = find(Price.objects.select_related("outlet"), int(number), code="unknown_price")
    what, value = price_words(row.treatment, row.amount, row.currency)
    return _delete(request, row, f"{what} {value}", lambda: services.delete_price(number=row.pk))


@staff_page
@require_http_methods(_METHODS)
def delete_share(request: HttpRequest, number: str) -> HttpResponse:
    row = find(Share.objects.select_related("outlet"), int(number), code="unknown_share")
    what, value = share_words(row.hundredths)
    return _delete(request, row, f"{what} {value}", lambda: services.delete_share(number=row.pk))


def _delete(request: HttpRequest, row: Price | Share, what: str, perform: Callable[[], None]) -> HttpResponse:
    said = f"{what}, {row.outlet or 'everywhere'}, from {row.valid_from} on"

    def delete(_: dict[str, Any]) -> str:
        perform()
        return f"{said}: deleted."

    return action(
        request,
        Confirmation(sent(request), seen=said),
        delete,
        title="Delete what was set?",
        lead=f"{said}. Without it what held before goes on. What a closed statement used cannot be deleted.",
        back=reverse("prices"),
        button="Delete",
        danger=True,
    )
