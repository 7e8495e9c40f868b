"""Who gets a token by a handshake: knowing a MAC is not enough once its device is assigned.

A window for a new token is opened by assigning, by an operator, by a rotation, and by delivering CLEAR_MEMORY. Whether
it is still open is decided when asked: until a token issued in it has been used, and for ENROLMENT_HOURS at most.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from device_gateway.keys.credentials import add_key, revoke_key, set_key
from device_gateway.models import Credential, Device, DeviceName, Enrolment, HandshakeAttempt
from device_gateway.secret import PREFIX_LENGTH, hash_secret, new_secret
from device_gateway.states import mark_seen
from ozone.wire.conf import options
from ozone.wire.errors import Forbidden, TooManyRequests

ATTEMPTS_KEPT: Final = 20
LOOKED_AT: Final = 200
"""Self-registered devices, least recently seen first, among which one is found that has sent nothing."""
SHARE_THAT_LEAVES: Final = 2000
"""Past SELF_REGISTERED_DEVICES one in so many makes room at once; at least one device."""
HOLD: Final = timedelta(minutes=2)
"""How long the first address of a window keeps others out without using its token."""


class Enrolled(NamedTuple):
    """What a handshake came to; `token` is None where it was refused."""

    device: Device
    token: str | None


@transaction.atomic
def shake_hands(*, mac: str, firmware: str, presented: str, client: str, now: datetime) -> Enrolled:
    """A token for the device of that MAC, which registers itself when it is new; or a refusal, which is noted.

    `mac` is in its normal spelling, `presented` the token that the device showed ("" for none); `firmware` is noted
    with the attempt. Raises Forbidden for an archived device, TooManyRequests where no more devices may register
    themselves.
    """
    known = DeviceName.objects.filter(name=mac).values_list("device_id", flat=True).first()
    if known is None:
        device, is_new = _registered(mac, now)
        if is_new:
            return Enrolled(device, _first_token(device, client, now))
        known = device.pk
    # All handshakes for it stand in one line. Not its key is locked: what points at it is checked against it at COMMIT.
    device = Device.objects.select_for_update(no_key=True).get(pk=known)
    if device.archived_at is not None:
        raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
    enrolment, _ = Enrolment.objects.get_or_create(device=device)
    key = device.credentials.filter(revoked_at=None).first()
    if key is not None and presented and hash_secret(presented) == key.hash:
        token: str | None = presented
        Credential._base_manager.filter(pk=key.pk).update(last_used_at=now)
    elif _may_have_one(device, enrolment, key, client, now):
        token = _issue(device, key, now)
        Enrolment.objects.filter(pk=device.pk).update(held_by=client, issued_at=now)
    else:
        token = None
        Enrolment.objects.filter(pk=device.pk).update(refused=F("refused") + 1)
    if device.assigned:
        _note_attempt(device, client, firmware, token is not None, now)
    if token is not None:
        mark_seen(connection, [(device.pk, now)])
    return Enrolled(device, token)


def _first_token(device: Device, client: str, now: datetime) -> str:
    """The token of a device which has just registered itself: nobody else knows of it yet. With few statements, because
    whoever likes may ask for this, and all that other devices send waits for it."""
    token = new_secret(32)
    Enrolment.objects.create(device=device, held_by=client, issued_at=now)
    add_key(device=device, key=token, source=Credential.Source.HANDSHAKE, now=now)
    mark_seen(connection, [(device.pk, now)])
    return token


def register_itself(*, mac: str, now: datetime) -> Device:
    """A device nobody has assigned. Past SELF_REGISTERED_DEVICES the one least recently seen makes room.

    Raises TooManyRequests when none can: what they have sent is kept.
    """
    return _registered(mac, now)[0]


def _registered(mac: str, now: datetime) -> tuple[Device, bool]:
    """The same, and whether nobody else was quicker."""
    most = options().SELF_REGISTERED_DEVICES
    strays = Device.objects.filter(provisional=True)
    if strays.count() >= most:
        silent = strays.filter(state__latest_received_at=None)
        oldest = silent.order_by(F("state__last_seen").asc(nulls_first=True), "pk").values_list("pk", flat=True)
        leaving = _without_events(list(oldest[:LOOKED_AT]))[: max(1, most // SHARE_THAT_LEAVES)]
        if not leaving:
            raise TooManyRequests(3600, "Too many devices have registered themselves and were never assigned.")
        # Some at once: to find the oldest takes as long as all the rest of a handshake.
        Device.objects.filter(pk__in=leaving).delete()
    try:
        return Device.objects.create(mac=mac, provisional=True, created_at=now), True
    except IntegrityError:  # another process was quicker
        return DeviceName.objects.select_related("device").get(name=mac).device, False


def _without_events(devices: list[int]) -> list[int]:
    """Those of which no other app keeps anything that they have sent."""
    sent: set[int] = set()
    for relation in Device._meta.related_objects:
        if relation.name == "events":
            found = relation.related_model._default_manager.filter(**{f"{relation.field.name}__in": devices})
            sent.update(found.values_list(f"{relation.field.name}_id", flat=True).distinct())
    return [device for device in devices if device not in sent]


def _may_have_one(device: Device, enrolment: Enrolment, key: Credential | None, client: str, now: datetime) -> bool:
    if key is not None and key.source == Credential.Source.CLAIM:
        return False  # never replaced by a handshake: the meter would be out until somebody visits it
    if not device.assigned or options().HANDSHAKE_POLICY == "open":
        return True
    if not is_open(enrolment, key, now):
        return False
    held = (
        enrolment.issued_at is not None
        and enrolment.opened_at is not None
        and (enrolment.issued_at >= enrolment.opened_at and abs(now - enrolment.issued_at) < HOLD)
    )
    return not held or enrolment.held_by == client


def is_open(enrolment: Enrolment | None, key: Credential | None, now: datetime) -> bool:
    """Whether a token may be had by a handshake. `key` is the credential in force."""
    if enrolment is None or enrolment.open_until is None or enrolment.opened_at is None or now >= enrolment.open_until:
        return False
    if key is None or key.last_used_at is None:
        return True
    issued_in_it = enrolment.counts_from is None or key.created_at >= enrolment.counts_from
    return not (issued_in_it and key.last_used_at >= enrolment.opened_at)


def _issue(device: Device, key: Credential | None, now: datetime) -> str:
    """A new token; one that was never used makes way without a trace: an unassigned device asks every 30 s."""
    token = new_secret(32)
    if key is None or key.last_used_at is not None or device.assigned:
        set_key(device=device, key=token, source=Credential.Source.HANDSHAKE, now=now)
    else:
        # Nobody remembers the key of an unassigned device, so nobody need be told (keyring.find).
        Credential._base_manager.filter(pk=key.pk).update(
            hash=hash_secret(token), prefix=token[:PREFIX_LENGTH], created_at=now, source=Credential.Source.HANDSHAKE
        )
    return token


def _note_attempt(device: Device, client: str, firmware: str, permitted: bool, now: datetime) -> None:
    attempts = device.handshake_attempts
    attempts.create(at=now, address=client, firmware=firmware, permitted=permitted)
    kept = list(attempts.values_list("pk", flat=True)[:ATTEMPTS_KEPT])
    HandshakeAttempt.objects.filter(device=device).exclude(pk__in=kept).delete()


@transaction.atomic
def allow_handshake(*, device: Device, now: datetime) -> Enrolment:
    """*Allow re-enrolment*: whoever shakes hands first with the device's MAC gets its token."""
    Enrolment.open_windows([device.pk], now)
    return Enrolment.objects.get(pk=device.pk)


@transaction.atomic
def rotate(*, device: Device, now: datetime) -> Enrolment:
    """Revokes the credential; the device is back by its next handshake."""
    revoke_key(device=device, now=now)
    return allow_handshake(device=device, now=now)
