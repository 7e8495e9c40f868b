"""The one registry of devices, their credentials, and what they sent. Every other app points here."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from device_gateway.decoding import ReadingDecoder as ReadingDecoder
from device_gateway.leading import Lease as Lease
from device_gateway.names import check_device_id, default_device_id, spelled_mac, validate_mac
from device_gateway.room import RoomSample as RoomSample
from device_gateway.secret import PREFIX_LENGTH, check_key
from device_gateway.versions import WatchedQuerySet
from ozone.intake.finding import Folded, FoundModel, FoundQuerySet, NoBytes, Order, with_following
from ozone.intake.sql import BulkInsert, moment
from ozone.wire.conf import options

CALLED = Coalesce(NullIf("name_order", NoBytes()), "device_id_order")
"""A device's place among others by what it is called in lists: its name, or where it has none its device_id."""


class Device(FoundModel):
    """Anything that talks to us: an energy meter, an Ozone machine's ESP32. Only `name` matters to make one."""

    class Encryption(models.TextChoices):
        NONE = "", "None"
        AESGCM = "AESGCM", "AES-256-GCM"

    name = models.CharField(max_length=200, blank=True, default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="devices"
    )
    location = models.CharField(max_length=200, blank=True, default="")
    # Null only between the INSERT and the UPDATE that names it after its number.
    device_id = models.CharField(max_length=63, unique=True, null=True, blank=True)
    mac = models.CharField(max_length=17, unique=True, null=True, blank=True, validators=[validate_mac])
    firmware = models.CharField(max_length=64, blank=True, default="")
    notes = models.CharField(max_length=500, blank=True, default="")
    assigned = models.BooleanField(default=False, help_text="Only an assigned device may send.")
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    provisional = models.BooleanField(default=False, editable=False)
    """Registered itself and was never assigned: past a limit the one least recently seen makes room."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    encryption = models.CharField(
        max_length=8, choices=Encryption.choices, blank=True, default=Encryption.NONE, editable=False
    )
    data_key = models.TextField(blank=True, default="", editable=False)
    """The device's AES key, encrypted under DEVICE_DATA_KEY; the one secret that cannot be kept as a hash."""
    name_folded = Folded("name")
    location_folded = Folded("location")
    firmware_folded = Folded("firmware")
    name_order = Order("name")
    location_order = Order("location")
    device_id_order = Order("device_id")

    objects = WatchedQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(provisional=True), name="provisional_devices"),
            models.Index(CALLED, "id", condition=models.Q(archived_at=None), name="devices_by_name"),
            models.Index(CALLED, "id", condition=models.Q(archived_at=None, assigned=False), name="devices_unassigned"),
            models.Index(
                "location_order", CALLED, "id", condition=models.Q(archived_at=None), name="devices_by_location"
            ),
            models.Index("device_id_order", "id", condition=models.Q(archived_at=None), name="devices_by_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.device_id or f"device {self.pk}"

    _new_token = ""

    @property
    def token(self) -> str:
        """Write-only: a value becomes the device's key when the device is saved, stored as a hash (seed 000's *rotate
        by updating Device.token*). Setting raises ValidationError, saving Conflict where the key is, or was, in use."""
        return ""

    @token.setter
    def token(self, key: str) -> None:
        if key:
            check_key(key)
        self._new_token = key

    @property
    def latest_payload(self) -> Any:
        """The reading with the greatest (occurred_at, id), for quick debugging (seed 000)."""
        return self.state.latest_payload

    @property
    def last_seen(self) -> datetime | None:
        return self.state.last_seen

    @property
    def owner_key(self) -> str:
        """The owner's primary key as text, "" for nobody."""
        return "" if self.owner_id is None else str(self.owner_id)

    def clean_names(self) -> None:
        """The MAC in its one spelling, and whether the device may be called so at all."""
        self.mac = (spelled_mac(self.mac) or self.mac) if self.mac else None
        if self.device_id:
            try:
                check_device_id(self.device_id, self.mac, self.pk)
            except ValidationError as error:
                raise ValidationError({"device_id": error.messages}) from None

    def clean(self) -> None:
        super().clean()
        self.clean_names()
        given = {getattr(self, field): field for field in ("device_id", "mac")}
        taken = DeviceName.objects.filter(name__in=[name for name in given if name]).exclude(device_id=self.pk)
        if errors := {given[row.name]: row.whose for row in taken.select_related("device")}:
            raise ValidationError(errors)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.mac = (spelled_mac(self.mac) or self.mac) if self.mac else None
        if self.assigned and self.provisional:
            self.provisional = False
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "provisional"}
        is_new = self._state.adding and self.pk is None
        if is_new and not self.device_id:
            self.device_id = self.mac
        only = kwargs.get("update_fields")
        # Where no name changes four statements are saved, during which nobody else could write to SQLite.
        naming = only is None or not self.device_id or not {"device_id", "mac"}.isdisjoint(only)
        with transaction.atomic(using=kwargs.get("using")):
            assigning = self.assigned and (only is None or "assigned" in only)
            assigning = assigning and not Device._base_manager.filter(pk=self.pk, assigned=True).exists()
            super().save(*args, **kwargs)
            if assigning:
                Enrolment.open_windows([self.pk], timezone.now(), on_assigning=True)
            if not self.device_id:
                self.device_id = self.mac or default_device_id(self.pk)
                named = with_following(Device, {"device_id": self.device_id})
                Device._base_manager.filter(pk=self.pk).update(**named)
            if naming:
                known = set() if is_new else set(self.names.values_list("name", flat=True))
                for name in {self.device_id, self.mac or self.device_id} - known:
                    self.names.create(name=name)  # refused by the database when it is another device's
                DeviceState.objects.bulk_create([DeviceState(device_id=self.pk)], ignore_conflicts=True)


class DeviceName(FoundModel):
    """Every name a device has or had: device_id, MAC, former device_ids. None is ever given to another device."""

    name = models.CharField(max_length=63, unique=True)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="names")
    since = models.DateTimeField(default=timezone.now)
    name_folded = Folded("name")

    objects = FoundQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def whose(self) -> str:
        """A sentence for staff, who see every device and alone name them."""
        device = self.device
        is_now = self.name in (device.device_id, device.mac)
        facts = [device.device_id if device.device_id != self.name else "", device.name]
        told = ", ".join(fact for fact in [*facts, "archived" if device.archived_at else ""] if fact)
        of = f"device {device.pk} ({told})" if told else f"device {device.pk}"
        return f"{self.name} {'is' if is_now else 'was'} the name of {of}."


class DeviceState(models.Model):
    """What changes with every message. Written by the write path only: a form that saved a whole row would put
    old values back."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="state")
    last_seen = models.DateTimeField(null=True)
    last_poll = models.DateTimeField(null=True)
    seat = models.BigIntegerField(null=True)
    """Of the newest poll, a random number: an older one that is still held gets no commands, in whatever process."""
    latest_occurred_at = models.DateTimeField(null=True)
    latest_received_at = models.DateTimeField(null=True)
    latest_payload = models.JSONField(null=True, decoder=ReadingDecoder)
    reused_ids = models.IntegerField(db_default=0)
    """Readings stored under an id of another one with other content: it numbers anew after each boot, say."""
    reused_at = models.DateTimeField(null=True)
    refused_readings = models.IntegerField(db_default=0)
    """Requests with readings that were answered 400; the last of them follows."""
    refused_at = models.DateTimeField(null=True)
    refused_code = models.CharField(max_length=64, db_default="", default="", blank=True)
    refused_detail = models.CharField(max_length=500, db_default="", default="", blank=True)

    class Meta:
        indexes = [
            # What a look at a page asks of a million: who was heard last, and who was last that is silent too long.
            models.Index(fields=["last_poll"], condition=models.Q(last_poll__isnull=False), name="state_polled"),
            models.Index(fields=["last_seen"], condition=models.Q(last_poll__isnull=True), name="state_seen"),
            models.Index(fields=["last_seen"], condition=models.Q(last_poll__isnull=False), name="state_seen_too"),
        ]

    def __str__(self) -> str:
        return f"state of {self.device_id}"


class Credential(models.Model):
    """A device's key. Only its hash is kept; one is in force for each device, revoked ones stay as history."""

    class Source(models.TextChoices):
        CLAIM = "claim", "Claim"
        HANDSHAKE = "handshake", "Handshake"
        ADMIN = "admin", "Administrator"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="credentials")
    hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.ADMIN)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    address = models.CharField(max_length=45, blank=True, default="", db_default="")
    """From which it was last used; noted with its uses."""
    address_since = models.DateTimeField(null=True, blank=True)
    """When that changed; null: it never did."""
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = WatchedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=models.Q(revoked_at__isnull=True), name="one_credential_in_force"
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…" if self.prefix else "a short key"


class Enrolment(models.Model):
    """When a device may have a new token by a handshake. Whether it may at a moment is decided when asked."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="enrolment")
    opened_at = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    counts_from = models.DateTimeField(null=True)
    """The first use of a token issued since then closes the window; null: of any."""
    held_by = models.CharField(max_length=45, blank=True, default="")
    """The address that shook hands first in this window; others wait until its token was left unused."""
    issued_at = models.DateTimeField(null=True)
    refused = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"enrolment of {self.device_id}"

    @classmethod
    def open_windows(cls, devices: Iterable[int], now: datetime, *, on_assigning: bool = False) -> None:
        """Opens a window for each of the devices (integer ids), anew where one is open.

        The first use of a token issued from now on closes it; `on_assigning` of the one before, too: that is the one
        the device got while it waited for somebody to assign it.
        """
        until = now + timedelta(hours=options().ENROLMENT_HOURS)
        times = [moment(connection, at) for at in (now, until, None if on_assigning else now)]
        _open_windows.run(connection, [(pk, *times) for pk in sorted(devices)])


_TIMES: Final = "opened_at", "open_until", "counts_from"
_open_windows: Final = BulkInsert(
    Enrolment,
    ("device_id", *_TIMES),
    "ON CONFLICT (device_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _TIMES),
)


class HandshakeAttempt(models.Model):
    """A handshake for an assigned device; the last ones are kept."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="handshake_attempts")
    at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True)
    firmware = models.CharField(max_length=64, blank=True)
    permitted = models.BooleanField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["at"], condition=models.Q(permitted=False), name="handshake_refused")]

    def __str__(self) -> str:
        return f"{self.address} at {self.at}"


class ProvisioningToken(models.Model):
    """A one-time token that a device exchanges for its key. Only its hash is kept."""

    class State(models.TextChoices):
        PENDING = "Pending"
        CLAIMED = "Claimed"
        EXPIRED = "Expired"
        REVOKED = "Revoked"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="provisioning_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    issuer_name = models.CharField(max_length=254, blank=True, default="", help_text="Empty: issued on this machine.")
    owner_at_issue = models.CharField(max_length=64, blank=True, default="")
    """The owner's primary key as text, whatever the user model of the project has for one; "" for nobody."""
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    notes = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    encryption = models.CharField(max_length=8, choices=Device.Encryption.choices, blank=True, default="")
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_from = models.CharField(max_length=45, blank=True, default="")
    device_metadata = models.JSONField(default=dict, blank=True)
    claim_salt = models.CharField(max_length=64, blank=True, default="")
    """With the token itself, which only the device has, this gives its key again when a reply was lost."""
    credential = models.OneToOneField(Credential, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def state_at(self, now: datetime) -> "ProvisioningToken.State":
        """Its state, decided when read."""
        if self.claimed_at is not None:
            return self.State.CLAIMED
        if self.revoked_at is not None or not self._issuer_stands():
            return self.State.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return self.State.EXPIRED
        return self.State.PENDING

    def _issuer_stands(self) -> bool:
        """A pending token dies when its issuer is deactivated or the device changes owner."""
        if self.owner_at_issue != self.device.owner_key:
            return False
        return not self.issuer_name or (self.issued_by is not None and self.issued_by.is_active)


class DeviceTelemetry(models.Model):
    """One reading. No foreign key in the database: it would be checked at COMMIT, for every row of a batch."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="telemetry", db_constraint=False, db_index=False
    )
    message_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    nonce = models.CharField(max_length=40, null=True)  # noqa: DJ001
    """The key's fingerprint and the nonce of an encrypted reading. Seen before under that key: a repeat."""
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    device_timestamp = models.TextField(null=True)  # noqa: DJ001
    payload = models.JSONField(decoder=ReadingDecoder)

    class Meta:
        verbose_name_plural = "device telemetry"
        indexes = [models.Index(fields=["device", "occurred_at"], name="telemetry_history")]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "message_id"], condition=models.Q(message_id__isnull=False), name="message_once"
            ),
            models.UniqueConstraint(
                fields=["device", "nonce"], condition=models.Q(nonce__isnull=False), name="nonce_once"
            ),
        ]

    def __str__(self) -> str:
        return f"reading {self.pk}"


class ReadingHour(models.Model):
    """What is left of the readings of a device that occurred in the hour from `start` and are deleted."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="reading_hours", db_constraint=False, db_index=False
    )
    start = models.DateTimeField()
    count = models.IntegerField()
    fields = models.JSONField(decoder=ReadingDecoder)
    """By numeric field (device_gateway.readings.figures.Kept)."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "start"], name="one_reading_hour")]

    def __str__(self) -> str:
        return f"{self.count} readings of {self.device_id} from {self.start}"
