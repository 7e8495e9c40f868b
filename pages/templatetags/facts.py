"""How facts read on our pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import segno
from django import template
from django.forms.boundfield import BoundField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from device_gateway.models import ProvisioningToken
from ozone.wire.times import iso, people_zone
from ozone.wire.words import duration
from pages.kit import once
from pages.kit.listing import Listing
from stations.partner.switch import stations_enabled

register = template.Library()

_MINUTE: Final = "%Y-%m-%d %H:%M"
_SECOND: Final = "%Y-%m-%d %H:%M:%S"


@register.filter
def local(moment: datetime | None) -> SafeString | str:
    """A time for people to the minute, by the clock that the page names (STATS_TIME_ZONE); `—` for none."""
    return "—" if moment is None else _time(moment, _MINUTE)


@register.filter
def exact(moment: datetime | None) -> SafeString | str:
    """The same to the second."""
    return "—" if moment is None else _time(moment, _SECOND)


@register.filter
def grouped(number: int | None) -> str:
    """`1,234`; `—` where nobody knows it."""
    return "—" if number is None else f"{number:,}"


@register.filter
def some(number: int) -> str:
    """The same; `—` for none."""
    return grouped(number or None)


@register.filter
def state_at(token: ProvisioningToken, now: datetime) -> ProvisioningToken.State:
    return token.state_at(now)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time that scripts tell as how long ago it is, to the second; `never` for none."""
    return "never" if moment is None else _time(moment, _SECOND, SafeString(" data-ago"))


def _time(moment: datetime, form: str, attributes: str = "") -> SafeString:
    """Its title, which a tap shows as well (pages.css), has the seconds and UTC."""
    there = f"{moment.astimezone(UTC):{_SECOND}} UTC"
    try:
        here = moment.astimezone(people_zone())
    except OverflowError:  # at the ends of the calendar
        here = moment.astimezone(UTC)
    title = f"{here:{_SECOND}}, {there}" if here.utcoffset() else there
    element = '<time datetime="{}" title="{}" tabindex="-1"{}>{}</time>'
    return format_html(element, iso(moment), title, attributes, f"{here:{form}}")


@register.simple_tag
def clock() -> str:
    """The time zone by whose clock pages tell all times."""
    return people_zone().key


register.filter("duration", duration)


@register.filter
def with_cursor(field: BoundField) -> SafeString:
    """A field as it is filled in. Where a form came back, the cursor is in the first field that is wrong."""
    wrong = [other.name for other in field.form.visible_fields() if other.errors]
    shown = field.as_widget(attrs={"autofocus": field.name == wrong[0]} if wrong else None)
    # What it held when the form was made: only what was changed is stored.
    return format_html("{}{}", shown, field.as_hidden(only_initial=True)) if field.field.show_hidden_initial else shown


@register.filter
def qr_code(text: str) -> SafeString:
    """An SVG element that holds the text. Black on white in the dark too: not every reader takes the inverse."""
    svg: str = segno.make_qr(text, error="m").svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308 - paths that segno has drawn, no text of anybody's


@register.simple_tag
def form_key() -> SafeString:
    """In every form that is sent by POST, so that it acts once. Firefox would fill in that of a page seen before."""
    return format_html('<input type="hidden" name="{}" value="{}" autocomplete="off">', once.FIELD, once.new_key())


@register.filter
def of(said: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    """What is said of the field of that name."""
    return said.get(name, ())


@register.simple_tag
def sort_header(listing: Listing[Any], words: str, css: str = "") -> SafeString:
    """A column's head that sorts by it, and the other way round when it does already; by two words where the column
    shows two things. `css`: `count`, of numbers."""
    named = words.split()
    state = "none"
    if listing.sort.removeprefix("-") in named:
        state = "descending" if listing.sort.startswith("-") else "ascending"
    links = format_html_join(
        " · ", '<a href="{}" aria-current="{}">{}</a>', (_sorting(listing, word) for word in named)
    )
    return format_html('<th scope="col" class="{}" aria-sort="{}">{}</th>', css, state, links)


def _sorting(listing: Listing[Any], word: str) -> tuple[str, str, str]:
    is_by = listing.sort.removeprefix("-") == word
    href = listing.href(sort=f"-{word}" if listing.sort == word else word)
    return href, "true" if is_by else "false", listing.sorts[word].title


@register.simple_tag
def stations_are_on() -> bool:
    """Whether this deployment has stations at all."""
    return stations_enabled()
