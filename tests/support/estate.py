"""Everything an account may own, each thing marked with one word: who reads the word has read what is theirs.

Real rows by the real ways: devices talk to the server over HTTP, operators' things are made by the services.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils import timezone

from alerts.channels.codes import stop_token
from alerts.deliveries.claiming import GATHER
from alerts.models import Incident, Maintenance, Rule
from alerts.tests import telling
from device_gateway.claims.services import issue_token
from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device
from ledger.epochs.services import look_through
from ledger.models import Epoch, Line, Price, Share
from stations.models import PowerBank, Station, StationSlot
from telemetry.commands import services as commands
from telemetry.machines.bindings import add_machine, assign_device
from telemetry.models import Command, Outlet, QuarantinedEvent, TelemetryEvent
from tests.support.doors import Answer, DjangoDoor
from tests.support.scoping import MONTH

_numbers: "count[int]" = count(1)


@dataclass(frozen=True)
class Estate:
    """One account's things. `marks`: texts of which none may stand in anything that others read."""

    owner: User | None
    key: str
    named: dict[str, str]
    marks: tuple[str, ...]


def settle(word: str, owner: User | None) -> Estate:
    """A device in a machine at an outlet, with all that a device brings about, and a second device with little.

    Integer ids are long and not to be mistaken for a count: `<word>`'s device is 7…1, its machine 7…2, its outlet 7…3.
    """
    base = 700_000_000 + 1_000 * next(_numbers)
    digits = f"{base:012d}"
    mac, spare_mac = (":".join([first, *(digits[at : at + 2] for at in range(2, 12, 2))]) for first in ("02", "06"))
    outlet = Outlet.objects.create(
        pk=base + 3, name=f"{word} outlet", region=f"{word} region", address=f"{word} street", contact_person=word
    )
    device = Device.objects.create(
        pk=base + 1, device_id=f"{word}-1", mac=mac, name=f"{word} device", location=f"{word} bay", owner=owner,
        notes=f"{word} notes", assigned=True,
    )  # fmt: skip
    spare = Device.objects.create(pk=base + 4, device_id=f"{word}-2", mac=spare_mac, owner=owner, assigned=True)
    machine = add_machine(fields={"pk": base + 2, "name": f"{word} machine", "outlet": outlet})
    assign_device(machine=machine, device=device)
    key = f"key-of-{word}"
    set_key(device=device, key=key, source=Credential.Source.CLAIM, now=timezone.now())
    _speak(word, key, mac)
    token = issue_token(device=device, issuer=owner, now=timezone.now(), notes=f"{word} line")
    spare_token = issue_token(device=spare, issuer=owner, now=timezone.now())
    states = {name: _command(device, word, name) for name in ("pending", "sent", "failed")}
    fields = {"command_type": "GET_STATUS", "description": f"{word} bulk", "expires_in_hours": 24}
    bulk, _ = commands.create_bulk(devices=[device], fields=fields, author=owner, now=timezone.now())
    named = {
        "device": f"{word}-1",
        "device_pk": str(device.pk),
        "mac": mac,
        "spare": f"{word}-2",
        "spare_mac": spare_mac,
        "spare_token": spare_token.token,
        "machine": str(machine.pk),
        "outlet": str(outlet.pk),
        "event": str(TelemetryEvent.objects.get(device=device).pk),
        "quarantined": str(QuarantinedEvent.objects.get(device=device).pk),
        "token": str(token.row.pk),
        "bulk": str(bulk.pk),
        "month": MONTH,
        "statement": f"{outlet.pk}-{MONTH}",
        **states,
    }
    named["line"] = str(_line(device).pk)
    since = date(2025, 6, 1)
    price = Price.objects.create(outlet=outlet, treatment="PREMIUM", currency="EUR", amount=700, valid_from=since)
    named["price"] = str(price.pk)
    named["share"] = str(Share.objects.create(outlet=outlet, hundredths=3000, valid_from=since).pk)
    named |= _told(owner, device, word) if owner else {}
    now = timezone.now()
    incident = Incident.objects.create(
        kind="held_up", subject_key=f"device:{device.pk}", subject=f"{word} machine", device=device, machine=machine,
        outlet=outlet, since=now, opened_at=now, told_at=now, note=f"{word} incident", facts={"said_by": word},
    )  # fmt: skip
    window = Maintenance.objects.create(outlet=outlet, start=now, weekly="Su 02:00-04:00", note=f"{word} window")
    rule = Rule.objects.create(kind="silent", outlet=outlet, seconds=3600)
    named |= {"incident": str(incident.pk), "window": str(window.pk), "rule": str(rule.pk)}
    long_ids = (str(device.pk), str(machine.pk), str(outlet.pk), str(spare.pk))
    marks = (word, mac, spare_mac, token.row.prefix, *long_ids, *states.values())
    return Estate(owner, key, named, marks)


def _speak(word: str, key: str, mac: str) -> None:
    """A reading, a press, a press that is refused, a poll, and somebody else's handshake."""
    event = {"event_id": f"{word}-e1", "event": "treatment", "treatment": "BASIC", "counter": 5, "wifi_status": word}
    assert _post("/api/device-data/ingest/", {"kwh": 1, "said_by": word}, key).status == 201
    assert _post("/api/device/events/", event, key).status == 200
    assert _post("/api/device/events/", {**event, "event_id": f"{word}-e2", "counter": -1}, key).status == 400
    assert DjangoDoor().send("GET", f"/api/device/{word}-1/commands/", headers=_bearer(key)).status == 200
    assert _post("/api/handshake/", {"mac": mac, "firmware": word}, None).status == 403


def _told(owner: User, device: Device, word: str) -> dict[str, str]:
    """A channel that is told, one that is not verified, and what was sent to the first."""
    now = timezone.now()
    channel = telling.channel(owner, now, name=f"{word} channel", target=f"{word}@example.com")
    unverified = telling.channel(owner, now, target=f"{word}@example.com", verified_at=None, code_sent_at=now)
    telling.tell(telling.incident(now, device=device, subject=f"{word} machine"), now)
    telling.send(channel, now + GATHER)
    return {
        "channel": str(channel.pk),
        "unverified": str(unverified.pk),
        "delivery": str(channel.deliveries.get().pk),
        "stop": stop_token(channel),
    }


def _line(device: Device) -> Line:
    """What nobody can explain of its presses: before its fifth there were four."""
    look_through(device.pk)
    epoch = Epoch.objects.get(device=device)
    Epoch.objects.filter(pk=epoch.pk).update(base=0)
    place = TelemetryEvent.objects.values("machine", "outlet").get(device=device)
    return Line.objects.create(
        epoch=epoch, device=device, treatment="BASIC", kind="missing", first=1, last=4, count=4, at=epoch.started_at,
        machine_id=place["machine"], outlet_id=place["outlet"],
    )  # fmt: skip


def _post(path: str, value: Any, key: str | None) -> Answer:
    headers = {"Content-Type": "application/json", **(_bearer(key) if key else {})}
    return DjangoDoor().send("POST", path, json.dumps(value).encode(), headers)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _command(device: Device, word: str, state: str) -> str:
    """The id of a command of the device in that state."""
    fields = {"command_type": "GET_STATUS", "description": f"{word} command", "expires_in_hours": 24}
    command = commands.create(device=device, fields=fields, author=device.owner, now=timezone.now())
    Command.objects.filter(pk=command.pk).update(status=state, sent_at=None if state == "pending" else timezone.now())
    return str(command.command_id)


STATION_WORD: Final = "wombat"


def station() -> dict[str, str]:
    """A charging station with a power bank: staff's, as all of them are."""
    now = timezone.now()
    place = Station.objects.create(serial_number=f"{STATION_WORD}-1", status="ONLINE", total_slots=1)
    slot = StationSlot.objects.create(station=place, slot_number=1, status="OCCUPIED")
    bank = f"{STATION_WORD}-bank"
    PowerBank.objects.create(serial_number=bank, station=place, current_slot=slot, seen_at=now - timedelta(hours=1))
    return {"station": place.serial_number}
