"""How facts read on our pages."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.forms.boundfield import BoundField
from django.utils.html import format_html
from django.utils.safestring import SafeString

from device_gateway.models import ProvisioningToken
from ozone.wire.times import iso
from pages.kit import once
from pages.kit.listing import Listing
from stations.partner.switch import stations_enabled

register = template.Library()


@register.filter
def utc(moment: datetime | None) -> SafeString | str:
    """A time for people, in UTC, with the exact one for machines; `—` for none."""
    if moment is None:
        return "—"
    words = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return format_html('<time datetime="{}">{} UTC</time>', iso(moment), words)


@register.filter
def exact(moment: datetime) -> SafeString:
    """The same to the second, in a column whose head says that it is UTC."""
    words = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return format_html('<time datetime="{}">{}</time>', iso(moment), words)


@register.filter
def state_at(token: ProvisioningToken, now: datetime) -> ProvisioningToken.State:
    return token.state_at(now)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time that scripts tell as how long ago it is, to the second; `never` for none."""
    if moment is None:
        return "never"
    words = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return format_html('<time datetime="{}" data-ago>{} UTC</time>', iso(moment), words)


@register.filter
def duration(seconds: float) -> str:
    """A stretch of time in its two largest units: `16 min`, `10 h 5 min`, `3 days 4 h`."""
    left = int(seconds)
    words = []
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            words.append("1 day" if (number, unit) == (1, "days") else f"{number} {unit}")
        elif words:
            break
    return " ".join(words[:2]) or "0 s"


@register.filter
def with_cursor(field: BoundField) -> SafeString:
    """A field as it is filled in. Where a form came back, the cursor is in the first field that is wrong."""
    wrong = [other.name for other in field.form.visible_fields() if other.errors]
    shown = field.as_widget(attrs={"autofocus": field.name == wrong[0]} if wrong else None)
    # What it held when the form was made: only what was changed is stored.
    return format_html("{}{}", shown, field.as_hidden(only_initial=True)) if field.field.show_hidden_initial else shown


@register.simple_tag
def form_key() -> SafeString:
    """In every form that is sent by POST, so that it acts once. Firefox would fill in that of a page seen before."""
    return format_html('<input type="hidden" name="{}" value="{}" autocomplete="off">', once.FIELD, once.new_key())


@register.simple_tag
def sort_header(listing: Listing[Any], word: str, title: str, css: str = "") -> SafeString:
    """A column's head that sorts by it, and the other way round when it does already. `css`: `count`, of numbers."""
    is_up, is_down = listing.sort == word, listing.sort == f"-{word}"
    state = "ascending" if is_up else "descending" if is_down else "none"
    href = listing.href(sort=f"-{word}" if is_up else word)
    head = '<th scope="col" class="{}" aria-sort="{}"><a href="{}">{}</a></th>'
    return format_html(head, css, state, href, title)


@register.simple_tag
def stations_are_on() -> bool:
    """Whether this deployment has stations at all."""
    return stations_enabled()
