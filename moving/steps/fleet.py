"""Devices with their names and credentials: no machine and no meter notices that its server has moved."""

import base64
import binascii
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError

from device_gateway.keys.crypto import seal_data_key
from device_gateway.models import (
    Credential,
    Device,
    DeviceName,
    DeviceState,
    Enrolment,
    ProvisioningToken,
)
from device_gateway.names import check_device_id, normal_mac
from device_gateway.secret import LONGEST_KEY, hash_secret, shown_prefix
from moving.cells import first, flag, json_object, moment, text, whole
from moving.pace import each_row
from moving.sources import NoSource, Row
from moving.state import Move, MovedDevice
from telemetry.models import DeviceStatus

PLAIN: Final = "The old database still holds tokens in plain text: destroy it, or keep it as you would keep the keys."


def check_data_key(move: Move) -> None:
    """Raises NoSource before anything is moved where AES keys would have nowhere to go."""
    from device_gateway.keys.crypto import can_encrypt

    table = move.generation.devices
    if "encryption_key_b64" not in move.source.columns[table] or can_encrypt():
        return
    found = move.source.query(f"SELECT COUNT(*) AS n FROM \"{table}\" WHERE COALESCE(encryption_key_b64, '') <> ''")
    if found[0]["n"]:
        raise NoSource("The source has AES keys of devices, which are kept encrypted here: set DEVICE_DATA_KEY first.")


def move_devices(move: Move) -> None:
    table = move.generation.devices
    oldest = _oldest(move)
    macs: set[str] = set()
    each_row(move.source, table, lambda row: _move_device(move, table, row, oldest, macs))


def _oldest(move: Move) -> dict[object, datetime]:
    """By what the events or readings name their device (text is its name, a number its key): when its oldest row was
    inserted."""
    history, column = (
        (move.generation.events, "occurred_at") if move.generation.events else (move.generation.readings, "received_at")
    )
    rows = move.source.query(f'SELECT device_id, MIN({column}) AS oldest FROM "{history}" GROUP BY device_id')
    return {row["device_id"]: at for row in rows if (at := moment(row["oldest"])) is not None}


def _move_device(move: Move, table: str, row: Row, oldest: dict[object, datetime], macs: set[str]) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    named = text(row.get("device_id"), 255)
    since = min(
        [at for at in (oldest.get(named), oldest.get(key), moment(row.get("created_at"))) if at]
        or [moment(row.get("last_seen")) or move.now]
    )
    known = move.known(table, key)
    if known is not None:
        counted.there += 1
        _enter(move, key, named, known, since)
        _follow(move, table, key, row, known)
        return
    mac = normal_mac(text(row.get("mac"), 64))
    if row.get("mac") and mac is None:
        move.report.note(table, key, f"{text(row['mac'], 64)} is no board's MAC: the device comes without one.")
    if mac is not None and mac in macs:
        move.report.note(table, key, f"{mac} is an earlier row's MAC: the device comes without one.")
        mac = None
    if mac is not None:
        macs.add(mac)
    here = DeviceName.objects.filter(name__in=[name for name in (mac, named) if name]).select_related("device")
    found = {name.device for name in here}
    if len(found) > 1:
        move.report.refuse(table, key, f"{mac} and {named} are two devices here.")
        return
    if found:
        counted.there += 1
        _adopt(move, table, key, row, found.pop(), named, since)
        return
    counted.added += 1
    name = _name(move, table, key, named, mac)
    pk = _create(move, table, key, row, name, mac, since)
    move.remember(table, key, pk)
    _enter(move, key, named, pk, since)


def _enter(move: Move, key: object, named: str, pk: int, since: datetime) -> None:
    device = MovedDevice(pk, since, named or f"#{key}")
    move.devices[f"#{key}"] = device
    if named:
        move.devices.setdefault(named, device)


def _name(move: Move, table: str, key: object, named: str, mac: str | None) -> str | None:
    """The device_id it may have here; None: that which the server gives."""
    if not named:
        return None
    try:
        check_device_id(named, mac, None)
    except ValidationError as error:
        called = mac or "dev-<id>"
        move.report.note(
            table, key, f"{named} is no device_id here ({' '.join(error.messages)}): it is called {called}."
        )
        return None
    return named


def _create(move: Move, table: str, key: Any, row: Row, name: str | None, mac: str | None, since: datetime) -> int:
    owner = row.get("owner_id")
    device = Device(
        name=text(row.get("name")),
        owner_id=None if owner is None else move.known(move.generation.people, owner),
        location=text(row.get("location")),
        device_id=name,
        mac=mac,
        firmware=text(row.get("firmware"), 64),
        notes=_notes(row),
        assigned=_is_assigned(row),
        created_at=since,
    )
    if move.generation.readings and isinstance(key, int) and not Device.objects.filter(pk=key).exists():
        device.pk = key  # a meter, and whoever reads it, has this number in its addresses
    if owner is not None and device.owner_id is None:
        move.report.note(table, key, f"Its owner {owner} is not in the source: it comes without one.")
    _take_data_key(move, table, key, row, device)
    if not move.is_dry:
        device.save(force_insert=True)
        DeviceState.objects.filter(device=device).update(last_seen=moment(row.get("last_seen")))
    _take_key(move, table, key, row, device)
    return move.invented() if move.is_dry else device.pk


def _notes(row: Row) -> str:
    source = first(row, "source_device_id")
    return text("\n".join(part for part in (text(row.get("notes"), 500), source and f"Source: {source}") if part), 500)


def _is_assigned(row: Row) -> bool:
    """In the meters' portal a device is assigned by its claim, which gave it a key."""
    return bool(
        flag(row["assigned"], False) if "assigned" in row else first(row, "device_secret_hash", "device_secret")
    )


def _adopt(move: Move, table: str, key: object, row: Row, device: Device, named: str, since: datetime) -> None:
    """A device that is here already, because it shook hands or was moved from elsewhere: it gets what it lacks."""
    move.report.note(table, key, f"It is here already, as {device.device_id}.")
    move.remember(table, key, device.pk)
    _enter(move, key, named, device.pk, since)
    was_assigned = device.assigned
    device.assigned = device.assigned or _is_assigned(row)
    if named and device.device_id == device.mac and _name(move, table, key, named, device.mac):
        device.device_id = named
    if not move.is_dry:
        device.save()
        Device.objects.filter(pk=device.pk, created_at__gt=since).update(created_at=since)
    if was_assigned and device.credentials.filter(revoked_at=None).exists():
        move.report.note(table, key, "It keeps the token that it has here.")
    else:
        _take_key(move, table, key, row, device)


def _follow(move: Move, table: str, key: object, row: Row, pk: int) -> None:
    """A device that an earlier run has brought, and that the source has assigned or given another token since."""
    device, hashed = Device.objects.filter(pk=pk, archived_at=None).first(), _hash(row)
    if device is None or not hashed or Credential.objects.filter(hash=hashed).exists():
        return
    held = device.credentials.filter(revoked_at=None).first()
    seen = moment(row.get("last_seen"))
    if held is not None and held.last_used_at is not None and (seen is None or held.last_used_at > seen):
        move.report.note(table, key, "It has another token in the source, and uses the one that it has here.")
        return
    if _is_assigned(row) and not device.assigned and not device.credentials.exists():
        device.assigned = True
        if not move.is_dry:
            device.save()
    _take_key(move, table, key, row, device)


def _hash(row: Row) -> str:
    """What we keep of its token or key, which stands there as it is or hashed. Empty: it has none."""
    plain = text(first(row, "token", "device_secret"), LONGEST_KEY + 1)
    return text(row.get("device_secret_hash"), 64).lower() or (hash_secret(plain) if plain else "")


def _take_key(move: Move, table: str, key: object, row: Row, device: Device) -> None:
    """The token's hash becomes ours."""
    plain = text(first(row, "token", "device_secret"), LONGEST_KEY + 1)
    hashed = _hash(row)
    if plain:
        move.report.remark(PLAIN)
    if not hashed or len(plain) > LONGEST_KEY:
        if device.assigned:
            move.report.note(table, key, "It has no token: the device gets one by a handshake or a claim.")
        return
    if hashed in move.hashes or Credential.objects.filter(hash=hashed).exists():
        move.report.note(table, key, "Its token is another device's, too: it needs a new one.")
        return
    move.hashes.add(hashed)
    if move.is_dry:
        return
    device.credentials.filter(revoked_at=None).update(revoked_at=move.now)  # of a device that waited to be assigned
    Credential.objects.create(
        device=device,
        hash=hashed,
        prefix=shown_prefix(plain),
        source=Credential.Source.CLAIM if move.generation.readings else Credential.Source.HANDSHAKE,
        created_at=moment(row.get("created_at")) or move.now,
        last_used_at=moment(row.get("last_seen")),
    )
    # Assigning it has opened a window for a new token. It has its own, and nobody else is to get one for its MAC.
    Enrolment.objects.filter(device=device).delete()


def _take_data_key(move: Move, table: str, key: object, row: Row, device: Device) -> None:
    encoded = text(row.get("encryption_key_b64"), 128)
    if not encoded:
        return
    try:
        raw = base64.b64decode(encoded, validate=True)
        if len(raw) != 32:
            raise ValueError
    except (binascii.Error, ValueError):
        move.report.note(table, key, "Its AES key is none of 32 bytes: the device has to be provisioned anew.")
        return
    device.encryption, device.data_key = Device.Encryption.AESGCM, seal_data_key(raw)


def move_statuses(move: Move) -> None:
    """Counters and flags of Ozone devices, as they last told them; those of a device that has told some here stay."""
    table = move.generation.statuses
    if table is None:
        return
    each_row(move.source, table, lambda row: _move_status(move, table, row))


def _move_status(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    device = move.device(row.get("device_id"))
    if device is None:
        move.report.refuse(table, key, f"Its device {row.get('device_id')} is not in the source.")
        return
    if DeviceStatus.objects.filter(device=device.pk).exists():
        counted.there += 1
        return
    counted.added += 1
    if move.is_dry:
        return
    seen, polled = moment(row.get("last_seen")), moment(row.get("last_poll"))
    DeviceStatus.objects.create(
        device_id=device.pk,
        current_count_basic=whole(row.get("current_count_basic")) or 0,
        current_count_standard=whole(row.get("current_count_standard")) or 0,
        current_count_premium=whole(row.get("current_count_premium")) or 0,
        counters_at=seen,
        wifi_connected=flag(row.get("wifi_connected")),
        rtc_available=flag(row.get("rtc_available")),
        sd_card_available=flag(row.get("sd_card_available")),
        uptime_seconds=whole(row.get("uptime_seconds")),
        device_timestamp=text(row.get("device_timestamp"), 64),
    )
    state = DeviceState.objects.filter(device=device.pk)
    if seen is not None:
        state.filter(last_seen=None).update(last_seen=seen)
    if polled is not None:
        state.filter(last_poll=None).update(last_poll=polled)


def move_tokens(move: Move) -> None:
    """Provisioning tokens that may still be claimed; used and expired ones are history that nobody asks for."""
    table = move.generation.tokens
    if table is None:
        return
    each_row(move.source, table, lambda row: _move_token(move, table, row))


def _move_token(move: Move, table: str, row: Row) -> None:
    counted, key = move.table(table), row[move.key_of(table)]
    counted.rows += 1
    device, expires_at = move.device(row.get("device_id")), moment(row.get("expires_at"))
    hashed = text(row.get("token_hash"), 64).lower()
    if row.get("used_at") is not None or (expires_at is not None and expires_at <= move.now):
        move.report.refuse(table, key, "It is used or expired: only pending tokens come.")
    elif device is None or not hashed:
        move.report.refuse(table, key, f"Its device {row.get('device_id')} is not in the source.")
    elif ProvisioningToken.objects.filter(token_hash=hashed).exists():
        counted.there += 1
    else:
        counted.added += 1
        if not move.is_dry:
            _create_token(move, row, device.pk, hashed, expires_at)


def _create_token(move: Move, row: Row, device: int, hashed: str, expires_at: datetime | None) -> None:
    issuer = row.get("issued_by_id")
    issued_by = None if issuer is None else move.known(move.generation.people, issuer)
    token = ProvisioningToken(
        device_id=device,
        token_hash=hashed,
        prefix="",
        issued_by_id=issued_by,
        created_at=moment(row.get("created_at")) or move.now,
        expires_at=expires_at,
        metadata=json_object(row.get("metadata")) or {},
    )
    token.owner_at_issue = token.device.owner_key
    token.issuer_name = token.issued_by.get_username() if token.issued_by else ""
    token.save()
