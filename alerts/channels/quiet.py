"""Quiet hours: by the clock of the pages, on either side of midnight."""

from datetime import datetime, timedelta

from alerts.channels.models import Channel
from ozone.wire.times import people_zone


def quiet_until(channel: Channel, now: datetime) -> datetime | None:
    """When the quiet hours end in which `now` is; None: it is in none."""
    begin, end = channel.quiet_from, channel.quiet_until
    if begin is None or end is None or begin == end:
        return None
    local = now.astimezone(people_zone())
    clock = local.time()
    is_quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not is_quiet:
        return None
    day = local.date() + (timedelta(days=1) if clock >= end else timedelta())
    return datetime.combine(day, end, people_zone())
