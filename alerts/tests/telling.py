"""Channels that are verified, incidents that are told, and time that goes on."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from alerts.carriers.outgoing import Outcome
from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.channels.secrets import sealed
from alerts.deliveries.announcing import announce
from alerts.deliveries.claiming import Claim, claim, finish
from alerts.deliveries.models import Delivery
from alerts.incidents.happening import OPENED, Happening
from alerts.incidents.models import Incident

SECRET = bytes(range(24))
GOOD = Outcome(True, 200)


def channel(person: Any, now: datetime, **fields: Any) -> Channel:
    """Of e-mail, unless told; verified an hour ago."""
    kind = fields.get("kind", EMAIL)
    given = {
        "kind": kind,
        "target": "https://example.com/hook" if kind == WEBHOOK else f"{person.get_username()}@example.com",
        "host": "example.com" if kind == WEBHOOK else "mail.example.com",
        "sealed": sealed(SECRET) if kind == WEBHOOK else "",
        "verified_at": now - timedelta(hours=1),
    }
    return Channel.objects.create(person=person, **{**given, **fields})


def incident(now: datetime, **fields: Any) -> Incident:
    """A device that is silent, found just now."""
    given = {"kind": "silent", "subject": "CH1/027/2024 at Chai Chee", "since": now - timedelta(hours=2)}
    device = fields.get("device")
    key = f"device:{device.pk}" if device else "device:0"
    return Incident.objects.create(**{**given, "subject_key": key, "opened_at": now, "told_at": now, **fields})


def tell(one: Incident, now: datetime, kind: str = OPENED) -> None:
    with transaction.atomic():
        announce([Happening(kind, now, one)])


def states(**of: Any) -> list[tuple[str, str]]:
    """Of deliveries, the first one first: type and state."""
    return list(Delivery.objects.filter(**of).order_by("id").values_list("type", "state"))


def send(of: Channel, now: datetime, outcome: Outcome = GOOD) -> Claim | None:
    """What is due there, with that outcome."""
    found = claim(of.pk, now)
    if found is not None:
        finish(found, outcome, now)
    return found
