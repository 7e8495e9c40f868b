"""The picture of stations, slots and power banks, and what happened to it."""

from django.db import models
from django.utils import timezone

from ozone.intake.finding import Folded, FoundModel, FoundQuerySet, Order

SERIAL_LENGTH = 64


class Station(FoundModel):
    """A charging station as its last messages described it."""

    class Status(models.TextChoices):
        ONLINE = "ONLINE", "Online"
        OFFLINE = "OFFLINE", "Offline"
        MAINTENANCE = "MAINTENANCE", "Maintenance"

    serial_number = models.CharField(max_length=SERIAL_LENGTH, unique=True)
    imei = models.CharField(max_length=SERIAL_LENGTH, blank=True, default="")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OFFLINE)
    last_heartbeat = models.DateTimeField(null=True, blank=True)
    signal_strength = models.CharField(max_length=64, blank=True, default="")
    """As told: `28`, `-65`, `CSQ:28`."""
    wifi_ssid = models.CharField(max_length=128, blank=True, default="")
    hardware_info = models.JSONField(default=dict, blank=True)
    total_slots = models.PositiveIntegerField(default=0)
    pinboards = models.JSONField(null=True, blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    """The `timestamp` of the newest message applied; an older one is stale."""
    last_body_hash = models.CharField(max_length=64, blank=True, default="")
    """SHA-256 of the last body applied."""
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    serial_number_folded = Folded("serial_number")
    imei_folded = Folded("imei")
    wifi_ssid_folded = Folded("wifi_ssid")
    serial_number_order = Order("serial_number")

    objects = FoundQuerySet.as_manager()

    class Meta:
        ordering = ["serial_number"]

    def __str__(self) -> str:
        return self.serial_number


class StationSlot(models.Model):
    """One slot. Which power bank sits in it, the power bank knows."""

    class Status(models.TextChoices):
        AVAILABLE = "AVAILABLE", "Available"
        OCCUPIED = "OCCUPIED", "Occupied"
        ERROR = "ERROR", "Error"
        MAINTENANCE = "MAINTENANCE", "Maintenance"

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="slots")
    slot_number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.AVAILABLE)
    battery_level = models.PositiveSmallIntegerField(default=0)
    slot_metadata = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["station", "slot_number"]
        constraints = [
            models.UniqueConstraint(fields=["station", "slot_number"], name="slot_once"),
            models.CheckConstraint(
                condition=models.Q(battery_level__gte=0, battery_level__lte=100), name="slot_battery_is_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station} slot {self.slot_number}"


class PowerBank(FoundModel):
    """A power bank: in one slot of one station, or in none."""

    class Status(models.TextChoices):
        AVAILABLE = "AVAILABLE", "Available"
        RENTED = "RENTED", "Rented"
        MAINTENANCE = "MAINTENANCE", "Maintenance"
        DAMAGED = "DAMAGED", "Damaged"

    serial_number = models.CharField(max_length=SERIAL_LENGTH, unique=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.AVAILABLE)
    battery_level = models.PositiveSmallIntegerField(default=0)
    station = models.ForeignKey(Station, on_delete=models.SET_NULL, null=True, blank=True, related_name="power_banks")
    current_slot = models.OneToOneField(
        StationSlot, on_delete=models.SET_NULL, null=True, blank=True, related_name="power_bank"
    )
    hardware_info = models.JSONField(default=dict, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    """The time of the newest message that saw it in a slot; an older one cannot move it."""
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    serial_number_folded = Folded("serial_number")
    serial_number_order = Order("serial_number")

    objects = FoundQuerySet.as_manager()

    class Meta:
        ordering = ["serial_number"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(battery_level__gte=0, battery_level__lte=100), name="bank_battery_is_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.serial_number


class PowerBankReturn(models.Model):
    """A power bank was put back: history, never changed."""

    power_bank = models.ForeignKey(PowerBank, on_delete=models.CASCADE, related_name="returns")
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="returns")
    slot_number = models.PositiveIntegerField()
    battery_level = models.PositiveSmallIntegerField(null=True, blank=True)
    """In percent; None: what was told is no percentage."""
    condition = models.CharField(max_length=64, blank=True, default="")
    hardware_info = models.JSONField(default=dict, blank=True)
    returned_at = models.DateTimeField()
    received_at = models.DateTimeField()
    stale = models.BooleanField(default=False)
    """A newer message had been applied when this one came: it is history and moved nothing."""

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.power_bank_id} into slot {self.slot_number}"


class AppliedMessage(models.Model):
    """A body that has been acknowledged, and the reply it got: the same body again gets it again, for 7 days."""

    body_hash = models.CharField(max_length=64, primary_key=True)
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="+")
    applied_at = models.DateTimeField(db_index=True)
    reply = models.TextField()
    """JSON as it was sent: PostgreSQL's own type would sort its members."""

    def __str__(self) -> str:
        return self.body_hash[:12]


class AcknowledgedRequest(models.Model):
    """A signed request that got a 200: sent again byte for byte it gets the same reply, and does nothing."""

    key = models.CharField(max_length=64, primary_key=True)
    """SHA-256 of its X-Timestamp and X-Signature."""
    timestamp = models.BigIntegerField()
    """Its X-Timestamp, Unix seconds: it is remembered as long as that may pass."""
    acknowledged_at = models.DateTimeField(db_index=True)
    reply = models.TextField()
    """As in AppliedMessage."""

    def __str__(self) -> str:
        return self.key[:12]


class SyncLog(models.Model):
    """One request that got as far as its signature headers, and what became of it."""

    class Outcome(models.TextChoices):
        APPLIED = "applied", "Applied"
        REPLAYED = "replayed", "Replayed"
        STALE = "stale", "Stale"
        REFUSED = "refused", "Refused"

    received_at = models.DateTimeField(db_index=True)
    type = models.CharField(max_length=16, blank=True, default="")
    serial_number = models.CharField(max_length=SERIAL_LENGTH, blank=True, default="", db_index=True)
    """The station's, as far as the message was read."""
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    code = models.CharField(max_length=32, blank=True, default="")
    """The error code of a refusal."""
    warnings = models.CharField(max_length=200, blank=True, default="")
    """Places of values that could not be taken and were left as they were, as far as they fit."""
    milliseconds = models.PositiveIntegerField()
    body_hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type or 'request'} {self.outcome}"
