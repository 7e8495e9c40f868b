"""Ozone machines as the seeds name them. Who may enter and what was last heard is device_gateway's."""

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from device_gateway.models import Device
from ozone.intake.finding import Folded, FoundModel, FoundQuerySet, Order
from telemetry.counts import DailyCount, HourlyCount, RollUp
from telemetry.opening import opening_hours_field
from telemetry.swaps import Swap

__all__ = [
    "Bulk",
    "Command",
    "DailyCount",
    "DeviceStatus",
    "HourlyCount",
    "Machine",
    "MachineDevice",
    "Outlet",
    "QuarantinedEvent",
    "RollUp",
    "Swap",
    "TelemetryEvent",
    "Treatment",
]


class Treatment(models.TextChoices):
    BASIC = "BASIC"
    STANDARD = "STANDARD"
    PREMIUM = "PREMIUM"


class Outlet(FoundModel):
    """A place where machines stand. Deleting one archives it."""

    name = models.CharField(max_length=200)
    region = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=500, blank=True, default="")
    contact_person = models.CharField(max_length=200, blank=True, default="")
    is_active = models.BooleanField(default=True)
    total_sva = models.PositiveIntegerField("total service advisors", null=True, blank=True)
    average_intage_services = models.FloatField(null=True, blank=True)
    number_of_machines = models.PositiveIntegerField(null=True, blank=True, help_text="As the owner counts them.")
    opening_hours = opening_hours_field()
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    name_folded = Folded("name")
    region_folded = Folded("region")
    address_folded = Folded("address")
    contact_person_folded = Folded("contact_person")
    name_order = Order("name")
    region_order = Order("region")

    objects = FoundQuerySet.as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def outlet_id(self) -> int:
        return self.pk

    @property
    def outlet_name(self) -> str:
        return self.name


class Machine(FoundModel):
    """What a customer uses. `device` is the one it has now; `bindings` tell which it had when."""

    outlet = models.ForeignKey(Outlet, on_delete=models.SET_NULL, null=True, blank=True, related_name="machines")
    former_outlet = models.ForeignKey(
        Outlet, on_delete=models.SET_NULL, null=True, editable=False, related_name="former_machines"
    )
    """The deleted outlet that it stood at, until it gets another or that one is restored."""
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    installed_date = models.DateField(null=True, blank=True)
    device = models.OneToOneField(Device, on_delete=models.SET_NULL, null=True, blank=True, related_name="machine")
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    name_folded = Folded("name")
    name_order = Order("name")

    objects = FoundQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["name_order", "id"], condition=models.Q(archived_at=None), name="machines_by_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As any model's. Another device or outlet ends the binding in force and begins the next, as by the API: a
        device that is merely written here would count for no machine. Raises Conflict, NotFound."""
        fields = kwargs.get("update_fields")
        if fields is not None and not {"device", "device_id", "outlet", "outlet_id"} & set(fields):
            super().save(*args, **kwargs)
            return
        from telemetry.machines.bindings import save_bound

        save_bound(self, lambda: super(Machine, self).save(*args, **kwargs))

    @property
    def machine_id(self) -> int:
        return self.pk

    @property
    def machine_code(self) -> str:
        return self.name


class MachineDevice(models.Model):
    """A binding: this machine, at this outlet, held this device from `assigned_date` until before `deactivated_date`.

    An event belongs to the machine and outlet that held its device when it occurred.
    """

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="bindings")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="bindings")
    outlet = models.ForeignKey(Outlet, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    assigned_date = models.DateTimeField()
    deactivated_date = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["-assigned_date", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["machine"], condition=models.Q(is_active=True), name="one_device_a_machine"
            ),
            models.UniqueConstraint(fields=["device"], condition=models.Q(is_active=True), name="one_machine_a_device"),
            models.CheckConstraint(
                condition=models.Q(is_active=True, deactivated_date=None)
                | models.Q(
                    is_active=False, deactivated_date__isnull=False, deactivated_date__gte=models.F("assigned_date")
                ),
                name="binding_interval",
            ),
        ]

    def __str__(self) -> str:
        return f"device {self.device_id} in machine {self.machine_id}"


class DeviceStatus(models.Model):
    """Counters and flags as the device last told them. Its row is the lock for everything the device tells."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="status")
    current_count_basic = models.PositiveIntegerField(default=0, db_default=0)
    current_count_standard = models.PositiveIntegerField(default=0, db_default=0)
    current_count_premium = models.PositiveIntegerField(default=0, db_default=0)
    counters_at = models.DateTimeField(null=True)
    """When the newest event or counter reset happened that the counters reflect."""
    newest_ts = models.DateTimeField(null=True)
    """The latest time a stored event's believable `ts` told: a clock that falls behind it is suspect."""
    mode = models.CharField(max_length=16, blank=True, default="", db_default="")
    wifi_status = models.CharField(max_length=64, blank=True, default="", db_default="")
    wifi_connected = models.BooleanField(null=True)
    rtc_available = models.BooleanField(null=True)
    sd_card_available = models.BooleanField(null=True)
    uptime_seconds = models.BigIntegerField(null=True)
    device_timestamp = models.CharField(max_length=64, blank=True, default="", db_default="")
    on_time = models.JSONField(null=True)
    """The three on-time values of a legacy device, as sent."""
    resets = models.PositiveIntegerField(default=0, db_default=0)
    """Counter resets seen: a legacy press is known again only since the last one."""
    reset_reason = models.CharField(max_length=64, blank=True, default="", db_default="")
    rssi = models.IntegerField(null=True)
    """The signal of its WiFi, in dBm."""
    free_heap = models.IntegerField(null=True)
    """In bytes."""
    queue_length = models.IntegerField(null=True)
    """Events that wait in the device."""
    vitals_at = models.DateTimeField(null=True)
    """When the device said the newest of what it says of itself beside its counters, in whole seconds."""
    firmware_at = models.DateTimeField(null=True)
    """When it told the firmware that the registry has of it, in whole seconds."""
    firmware_since = models.DateTimeField(null=True)
    """When it first told that one, and had told another before."""

    touched = models.PositiveBigIntegerField(default=0, db_default=0)
    """How often something was stored that bears on what the device's counters say."""
    touched_from = models.DateTimeField(null=True)
    """The earliest time of what was stored since the counters were last looked into; None: nothing since."""

    class Meta:
        verbose_name_plural = "device statuses"
        indexes = [
            models.Index(fields=["touched_from"], condition=models.Q(touched_from__isnull=False), name="status_touched")
        ]

    def __str__(self) -> str:
        return f"status of {self.device_id}"

    @property
    def last_seen(self) -> datetime | None:
        return self.device.state.last_seen

    @property
    def last_poll(self) -> datetime | None:
        return self.device.state.last_poll

    @property
    def counts(self) -> dict[str, int]:
        return {
            "basic": self.current_count_basic,
            "standard": self.current_count_standard,
            "premium": self.current_count_premium,
        }


class TelemetryEvent(models.Model):
    """One press, or one status message of a legacy device, written by the write path only. No foreign keys in the
    database: they would be checked at COMMIT, for every row of a batch. `machine` and `outlet` are those that held the
    device when it occurred."""

    class Source(models.TextChoices):
        DEVICE = "device"
        LEGACY = "legacy"
        OPERATOR = "operator"

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="events", db_constraint=False, db_index=False
    )
    event_id = models.CharField(max_length=128)
    event = models.CharField(max_length=16)
    event_type = models.CharField(max_length=16)
    treatment = models.CharField(max_length=16, null=True)  # noqa: DJ001
    counter = models.PositiveIntegerField(null=True)
    count_basic = models.PositiveIntegerField(null=True)
    count_standard = models.PositiveIntegerField(null=True)
    count_premium = models.PositiveIntegerField(null=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    device_timestamp = models.TextField(null=True)  # noqa: DJ001
    clock_suspect = models.BooleanField(default=False)
    wifi_status = models.CharField(max_length=64, null=True)  # noqa: DJ001
    source = models.CharField(max_length=8, choices=Source.choices)
    payload = models.JSONField()
    machine = models.ForeignKey(
        Machine, on_delete=models.DO_NOTHING, null=True, related_name="events", db_constraint=False, db_index=False
    )
    outlet = models.ForeignKey(
        Outlet, on_delete=models.DO_NOTHING, null=True, related_name="events", db_constraint=False, db_index=False
    )

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["device", "event_id"], name="event_once")]
        indexes = [
            models.Index(fields=["device", "occurred_at"], name="event_device_occurred"),
            models.Index(fields=["received_at"], name="event_received"),
            models.Index(fields=["occurred_at"], name="event_occurred"),
            models.Index(fields=["machine", "id"], name="event_machine"),
            models.Index(fields=["device", "id"], condition=models.Q(clock_suspect=True), name="event_suspect"),
            models.Index(
                fields=["device", "received_at"], condition=models.Q(clock_suspect=True), name="event_suspect_received"
            ),
        ]

    def __str__(self) -> str:
        return self.event_id


class QuarantinedEvent(models.Model):
    """A body of an authenticated device that was refused: it is sent for ever, and nothing behind it gets through."""

    class State(models.TextChoices):
        OPEN = "open"
        DISCARDED = "discarded"
        ACCEPTED = "accepted"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="quarantine")
    digest = models.CharField(max_length=64)
    """SHA-256 of the body: a retry is the same body."""
    body = models.TextField()
    reason = models.CharField(max_length=500)
    code = models.CharField(max_length=64)
    event_id = models.CharField(max_length=128, blank=True, default="")
    retries = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["device", "digest"], name="quarantined_once")]
        indexes = [
            models.Index(fields=["last_at"], name="quarantined_last"),
            models.Index(fields=["state", "device"], name="quarantined_state"),
        ]

    def __str__(self) -> str:
        return f"{self.code} of device {self.device_id}"


class Bulk(models.Model):
    """One command for many devices, as a person gave it: `commands` are the devices' own."""

    command_type = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    number = models.PositiveIntegerField()
    """Of devices that it was meant for."""
    refused = models.JSONField(default=dict)
    """By sentence the ids of the devices that got no command for that reason."""

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.command_type} for {self.number:,} device{'' if self.number == 1 else 's'}"


class Command(models.Model):
    """Something a device is to do. `status` is what was last done to it; `lifecycle.state_at` tells its state now."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        EXECUTED = "executed"
        FAILED = "failed"
        TIMEOUT = "timeout"
        CANCELLED = "cancelled"

    class Priority(models.TextChoices):
        CRITICAL = "critical"
        HIGH = "high"
        NORMAL = "normal"
        LOW = "low"

    command_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="commands", db_index=False)
    command_type = models.CharField(max_length=64)
    priority = models.CharField(max_length=8, choices=Priority.choices, default=Priority.NORMAL)
    payload = models.JSONField(default=dict, blank=True)
    description = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    deliveries = models.PositiveSmallIntegerField(default=0)
    """Since it was made or last retried."""
    executed_at = models.DateTimeField(null=True, blank=True)
    response_data = models.JSONField(null=True, blank=True)
    counters = models.JSONField(null=True, blank=True)
    """The device's counters after it, `{basic, standard, premium}`: as its result told them, or of a reset zeros."""
    message = models.CharField(max_length=500, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")
    retry_count = models.PositiveSmallIntegerField(default=0)
    retried_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    """The last move, delivery or result: pages look for the newest."""
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_forced = models.BooleanField(default=False, db_default=False, editable=False)
    """Made although it was unsafe for the device's firmware, or may be."""
    bulk = models.ForeignKey(
        Bulk, on_delete=models.SET_NULL, null=True, editable=False, related_name="commands", db_index=False
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["device", "-id"], name="command_device"),
            models.Index(fields=["device"], condition=models.Q(status__in=("pending", "sent")), name="command_open"),
            models.Index(fields=["changed_at"], name="command_changed"),
            models.Index(
                fields=["device", "executed_at"], condition=models.Q(executed_at__isnull=False), name="command_executed"
            ),
            models.Index(fields=["bulk", "status"], condition=models.Q(bulk__isnull=False), name="command_bulk"),
        ]

    def __str__(self) -> str:
        return f"{self.command_type} {self.command_id}"
