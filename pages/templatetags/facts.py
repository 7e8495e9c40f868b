"""How facts read on our pages."""

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from device_gateway.models import ProvisioningToken
from wire.times import iso

register = template.Library()


@register.filter
def utc(moment: datetime | None) -> SafeString | str:
    """A time for people, in UTC, with the exact one for machines; `—` for none."""
    if moment is None:
        return "—"
    words = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return format_html('<time datetime="{}">{} UTC</time>', iso(moment), words)


@register.filter
def state_at(token: ProvisioningToken, now: datetime) -> ProvisioningToken.State:
    return token.state_at(now)
