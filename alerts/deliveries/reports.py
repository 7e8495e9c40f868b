"""What is told without an incident: yesterday's figures each morning, last week's on Mondays, statements as they are
closed."""

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from django.db.models import Q, QuerySet

from alerts.channels.models import Channel
from alerts.conditions.selling import SELLS_NOTHING
from alerts.deliveries.announcing import due, store
from alerts.deliveries.models import DAILY, STATEMENT, WEEKLY, Delivery
from alerts.incidents.queries import visible_incidents
from ledger.models import Statement
from ledger.sales.outlet_views import earned
from ozone.wire import jsonio
from ozone.wire.conf import options
from ozone.wire.times import iso, people_zone

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
IDLE: Final = 100
"""Machines that are named because they sell nothing: those that have for longest."""
LOOKED_AT: Final = 500
LOOKED_BACK: Final = timedelta(days=2)
"""A statement that was closed longer ago is no news, even where nobody was told."""


def due_reports(now: datetime) -> bool:
    """Stores what is due at the local time of now, each once. Figures take a while, so those of one channel at a time:
    whether there is more to do at once."""
    _statements(now)
    local = now.astimezone(people_zone())
    if local.time() < time_of_reports(options().ALERT_REPORT_TIME):
        return False
    yesterday = local.date() - DAY
    week = local.date() - timedelta(days=local.weekday()) - WEEK
    channel = _behind(yesterday, week).first()
    if channel is None:
        return False
    _report(channel, yesterday, week, now)
    return True


@cache
def time_of_reports(text: str) -> time:
    """Raises ValueError."""
    return time.fromisoformat(text)


def _behind(yesterday: date, week: date) -> "QuerySet[Channel]":
    daily = Q(daily=True) & (Q(day_told=None) | Q(day_told__lt=yesterday))
    weekly = Q(weekly=True) & (Q(week_told=None) | Q(week_told__lt=week))
    return Channel.active().filter(daily | weekly).select_related("person").order_by("pk")


def _report(channel: Channel, yesterday: date, week: date, now: datetime) -> None:
    wanted: list[tuple[str, date, date]] = []
    if channel.daily and (channel.day_told or date.min) < yesterday:
        wanted.append((DAILY, yesterday, yesterday))
    if channel.weekly and (channel.week_told or date.min) < week:
        wanted.append((WEEKLY, week, week + WEEK - DAY))
    figures = [(kind, first, _figures(channel.person, first, last)) for kind, first, last in wanted]
    store(
        [
            Delivery(
                channel=channel, person_id=channel.person_id, key=f"{kind}:{first}", type=kind, at=now, data=told,
                next_try=due(channel, now),
            )
            for kind, first, told in figures
        ]
    )  # fmt: skip
    Channel.objects.filter(pk=channel.pk).update(day_told=yesterday, week_told=week)


def _figures(person: Any, first: date, last: date) -> dict[str, Any]:
    """Of what the person may see, with how many incidents are open, and which machines sell nothing."""
    is_open = visible_incidents(person).filter(ended_at=None)
    idle = is_open.filter(kind=SELLS_NOTHING, told_at__isnull=False).order_by("since", "id")
    return {
        **earned(person, first, last),
        "open_incidents": is_open.order_by().count(),
        "selling_nothing": [
            {"subject": subject, "since": iso(since)} for subject, since in idle.values_list("subject", "since")[:IDLE]
        ],
    }


def _statements(now: datetime) -> None:
    """They are staff's."""
    channels = list(Channel.active().filter(statements=True, person__is_staff=True).select_related("person"))
    if not channels:
        return
    newest = Statement.objects.order_by("-number").values_list("number", "closed_at")[:LOOKED_AT]
    keys = {f"{STATEMENT}:{number}": (number, at) for number, at in newest if at > now - LOOKED_BACK}
    told = set(Delivery.objects.filter(channel__in=channels, key__in=keys).values_list("channel", "key"))
    missing = [
        (channel, key, number, at)
        for channel in channels
        for key, (number, at) in keys.items()
        if (channel.pk, key) not in told and (channel.verified_at or now) <= at
    ]
    said = _said({number for _, _, number, _ in missing})
    store(
        [
            Delivery(
                channel=channel, person_id=channel.person_id, key=key, type=STATEMENT, at=at, data=said[number],
                next_try=due(channel, now),
            )
            for channel, key, number, at in sorted(missing, key=lambda one: one[2])
        ]
    )  # fmt: skip


def _said(numbers: set[int]) -> dict[int, dict[str, Any]]:
    found = Statement.objects.filter(number__in=numbers).defer("sheet")
    documents = {row.number: (row, jsonio.decode(bytes(row.document))) for row in found}
    return {
        number: {
            "number": number,
            "outlet_id": said["outlet"]["id"],
            "outlet": said["outlet"]["name"],
            "month": said["month"],
            "currency": said["currency"],
            "revenue": said["totals"]["statement"]["revenue"],
            "closed_by": said["closed_by"],
            "sha256": row.json_sha256,
        }
        for number, (row, said) in documents.items()
    }
