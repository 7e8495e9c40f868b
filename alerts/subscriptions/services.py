"""Making channels, proving them, stopping them. Each function is one transaction."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F

from alerts.carriers.webhook import SECRET_BYTES, shown_secret
from alerts.channels.codes import is_code
from alerts.channels.models import CODE_LIFE, CODE_TRIES, WEBHOOK, Channel, CodeSent, new_nonce
from alerts.channels.secrets import sealed
from alerts.deliveries.announcing import store
from alerts.deliveries.models import TEST, VERIFY, Delivery
from alerts.subscriptions.kinds import Address, read_address
from device_gateway.registry.queries import visible_devices
from ozone.wire.errors import Conflict, Forbidden, Invalid, TooManyRequests
from ozone.wire.times import people_zone
from telemetry.visible import visible_outlets

MOST: Final = 20
"""Channels of a person."""
CODES: Final = 3
CODES_IN: Final = timedelta(hours=1)
TESTS_IN: Final = timedelta(minutes=1)
AT_A_TIME: Final = 500
"""Rows of the log that are deleted in one transaction."""
_WRONG: Final = "That is not the code, or it is more than an hour old, or was tried too often. Ask for another."


def checked(person: Any, fields: dict[str, Any], stored: Channel | None = None) -> dict[str, Any]:
    """Raises Invalid where members do not go together, or name outlets that the person does not see."""
    hours = [fields.get(name, getattr(stored, name, None)) for name in ("quiet_from", "quiet_until")]
    if (hours[0] is None) != (hours[1] is None) or (hours[0] is not None and hours[0] == hours[1]):
        raise Invalid.named("quiet_until", "Two different times, or none.")
    wanted = set(fields.get("outlets", ()))
    missing = wanted - set(visible_outlets(person).filter(pk__in=wanted).values_list("pk", flat=True))
    if missing:
        raise Invalid.named("outlets", f"There is no outlet {min(missing)}.")
    if fields.get("statements") and not person.is_staff:
        raise Invalid.named("statements", "Statements are told to staff.")
    return fields


def add(*, person: Any, fields: Mapping[str, Any], now: datetime) -> tuple[Channel, str]:
    """The channel, to which a code is on its way; and a webhook's secret, to be shown this once, else "".

    Raises Forbidden where the person sees no device, Invalid, Conflict, TooManyRequests, Unavailable.
    """
    if not person.is_staff and not visible_devices(person).exists():
        raise Forbidden("Channels are for people who see a device.", code="sees_no_device")
    wanted = dict(fields)
    # For a chat's this starts a program, which takes seconds: nobody is to wait for a lock meanwhile.
    address = read_address(wanted["kind"], wanted.pop("target"), person.pk)
    return _add(person, wanted, address, now)


@transaction.atomic
def _add(person: Any, wanted: Mapping[str, Any], address: Address, now: datetime) -> tuple[Channel, str]:
    _count_code(person, now)
    if Channel.objects.filter(person=person).count() >= MOST:
        raise Conflict(f"A person has at most {MOST} channels. Delete one first.", code="too_many_channels")
    key = secrets.token_bytes(SECRET_BYTES) if wanted["kind"] == WEBHOOK else b""
    secret = key or address.secret
    channel = Channel(
        person_id=person.pk, target=address.shown, host=address.host, sealed=sealed(secret) if secret else "",
        **wanted,
    )  # fmt: skip
    channel.save()
    _send_code(channel, now)
    return channel, shown_secret(key) if key else ""


@transaction.atomic
def send_code(*, channel: Channel, now: datetime) -> None:
    """Another code; the one before is worth nothing any more. Raises Conflict, TooManyRequests."""
    if channel.verified_at is not None:
        raise Conflict("This channel is verified already.", code="channel_verified")
    _count_code(channel.person, now)
    Channel.objects.select_for_update().get(pk=channel.pk)
    Delivery.yet_to_send(channel).filter(type=VERIFY).update(state=Delivery.State.DROPPED, next_try=None)
    channel.nonce = new_nonce()
    _send_code(channel, now)


def _count_code(person: Any, now: datetime) -> None:
    """Raises TooManyRequests past CODES in an hour, of all channels together, deleted ones too."""
    get_user_model()._default_manager.select_for_update().get(pk=person.pk)  # one after the other
    CodeSent.objects.filter(person_id=person.pk, at__lte=now - CODES_IN).delete()
    sent = list(CodeSent.objects.filter(person_id=person.pk).order_by("at").values_list("at", flat=True))
    if len(sent) >= CODES:
        wait = (sent[-CODES] + CODES_IN - now).total_seconds()
        raise TooManyRequests(wait, f"At most {CODES} codes an hour are sent for a person.")
    CodeSent.objects.create(person_id=person.pk, at=now)


def _send_code(channel: Channel, now: datetime) -> None:
    channel.code_sent_at, channel.code_tries = now, 0
    channel.save(update_fields=["nonce", "code_sent_at", "code_tries"])
    _tell(channel, VERIFY, now)


def _tell(channel: Channel, kind: str, now: datetime) -> Delivery:
    """A message of its own, at once."""
    row = Delivery(
        channel=channel, person_id=channel.person_id, key=f"{kind}:{uuid4().hex}", type=kind, at=now,
        data={"channel_id": channel.pk, "name": channel.name}, is_urgent=True, message=uuid4().hex, next_try=now,
    )  # fmt: skip
    store([row])
    return Delivery.objects.get(channel=channel, key=row.key)


def verify(*, channel: Channel, code: str, now: datetime) -> None:
    """Raises Invalid where it is not the code, Conflict where there is nothing to prove."""
    if channel.verified_at is not None:
        raise Conflict("This channel is verified already.", code="channel_verified")
    # Counted before it is looked at: however many come at once, only so many are looked at.
    tried = Channel.objects.filter(pk=channel.pk, nonce=channel.nonce, code_tries__lt=CODE_TRIES)
    is_counted = tried.update(code_tries=F("code_tries") + 1)
    is_fresh = channel.code_sent_at is not None and now - channel.code_sent_at < CODE_LIFE
    if not (is_counted and is_fresh and is_code(channel, code)):
        raise Invalid(_WRONG, code="wrong_code", errors={"code": [_WRONG]})
    # Its first reports are tomorrow's, and next week's.
    today = now.astimezone(people_zone()).date()
    told = {"day_told": today - timedelta(days=1), "week_told": today - timedelta(days=today.weekday() + 7)}
    Channel.objects.filter(pk=channel.pk, nonce=channel.nonce).update(verified_at=now, **told)


@transaction.atomic
def send_test(*, channel: Channel, now: datetime) -> Delivery:
    """Raises Conflict where the channel is not active, TooManyRequests within a minute of the last one."""
    if channel.state != Channel.State.ACTIVE:
        raise Conflict(f"This channel is {Channel.State(channel.state).label}.", code="channel_not_active")
    last = Delivery.objects.filter(channel=channel, type=TEST).order_by("-id").values_list("at", flat=True).first()
    if last is not None and last <= now < last + TESTS_IN:
        raise TooManyRequests((last + TESTS_IN - now).total_seconds(), "One test message a minute.")
    return _tell(channel, TEST, now)


def change(*, channel: Channel, fields: Mapping[str, Any], now: datetime) -> None:
    """What it is told, and whether it is stopped. What waits to be sent to one that is stopped is dropped."""
    wanted = dict(fields)
    if (stopped := wanted.pop("stopped", None)) is not None and stopped != channel.stopped:
        wanted["stopped_at"] = now if stopped else None
    for name, value in wanted.items():
        setattr(channel, name, value)
    channel.save(update_fields=list(wanted))
    if channel.stopped:
        drop_waiting(channel)


@transaction.atomic
def stop(channel: Channel, now: datetime) -> None:
    """By the link in a message. Does nothing where it is stopped already."""
    Channel.objects.filter(pk=channel.pk, stopped_at=None).update(stopped_at=now)
    drop_waiting(channel)


def drop_waiting(channel: Channel) -> None:
    waiting = Delivery.yet_to_send(channel).exclude(type=VERIFY)
    waiting.update(state=Delivery.State.DROPPED, next_try=None)


def delete(channel: Channel) -> None:
    """With its part of the log, in short transactions."""
    own = Delivery.objects.filter(channel=channel)
    while numbers := list(own.values_list("pk", flat=True)[:AT_A_TIME]):
        Delivery.objects.filter(pk__in=numbers).delete()
    with transaction.atomic():
        for held in Channel.objects.select_for_update().filter(pk=channel.pk):
            held.delete()
