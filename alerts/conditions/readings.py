"""Fields of readings that are too high, too low, or missing: where a rule names them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from alerts.conditions.found import Facts, Found, Moment, Watched, clock
from alerts.conditions.rules import Bounds, Rules
from device_gateway.models import DeviceState
from device_gateway.readings.queries import pieces
from ozone.wire.times import iso

READING: Final = "reading"

LASTING: Final = 300
"""Seconds for which it is so, unless the rule says else."""
LOOKED_AT: Final = 500
"""Readings of one device, the newest."""
FRESH: Final = timedelta(hours=6)
"""Of an older reading nothing follows: the device is silent, or sends seldom."""


def readings(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """A rule without `low` and `high` wants the field to be there."""
    by_device = {one.device: one for one in watched}
    rules = Rules(READING, list(by_device), {one.outlet for one in watched if one.outlet})
    wanted = {device: rules.nearest(device, one.outlet)[0] for device, one in by_device.items()}
    wanted = {device: some for device, some in wanted.items() if some}
    if not wanted:
        return []
    states = DeviceState.objects.filter(
        device__in=list(wanted), latest_occurred_at__gt=moment.now - FRESH, latest_occurred_at__lte=moment.now
    )
    found = []
    for device, payload in states.values_list("device_id", "latest_payload"):
        for rule in wanted[device]:
            if rule.is_on and _is_wrong(rule, payload) and (since := _since(rule, device, moment)):
                facts = {"field": rule.field, "value": _value(rule, payload), "low": rule.low, "high": rule.high}
                one = by_device[device].found(READING, since, {**facts, "since": iso(since)})
                found.append(one._replace(subject_key=f"{one.subject_key}:{rule.field}"))
    return found


def _value(rule: Bounds, payload: Any) -> float | None:
    value = payload.get(rule.field) if isinstance(payload, dict) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _is_wrong(rule: Bounds, payload: Any) -> bool:
    value = _value(rule, payload)
    if value is None:
        return rule.low is None and rule.high is None
    return (rule.low is not None and value < rule.low) or (rule.high is not None and value > rule.high)


def _since(rule: Bounds, device: int, moment: Moment) -> datetime | None:
    """Since when all of its readings are so; None: not for long enough."""
    since = None
    for occurred_at, payload in _newest(device, moment.now):
        if not _is_wrong(rule, payload):
            break
        since = occurred_at
    lasting = timedelta(seconds=LASTING if rule.seconds is None else rule.seconds)
    return since if since is not None and moment.now - since >= lasting else None


def _newest(device: int, now: datetime) -> Iterator[tuple[datetime, Any]]:
    found = pieces(device, start=None, end=now, is_back=True, at_once=LOOKED_AT)
    yield from islice((row for piece in found for row in piece.rows), LOOKED_AT)


def says_reading(facts: Facts, since: datetime) -> str:
    field, value = facts.get("field"), facts.get("value")
    if value is None:
        return f"Its readings have no {field} since {clock(since)}."
    low, high = facts.get("low"), facts.get("high")
    bound = f"below {low:g}" if low is not None and value < low else f"above {high:g}" if high is not None else "wrong"
    return f"{field} is {value:g}, {bound}, since {clock(since)}."
