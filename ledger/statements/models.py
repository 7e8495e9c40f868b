"""Closed statements. A draft is no row: it is worked out whenever it is looked at."""

from typing import Any

from django.conf import settings
from django.db import models

from telemetry.models import Outlet, Treatment


class Books(models.Model):
    """One row, the lock of all money: whoever closes a statement or sets a price holds it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_number = models.PositiveIntegerField(default=0)
    """Of the statements: it grows in the transaction that closes one, so no number is left out."""

    def __str__(self) -> str:
        return f"books up to {self.last_number}"

    @classmethod
    def lock(cls) -> "Books":
        """Inside a transaction: held until it ends."""
        Books.objects.bulk_create([Books(pk=1)], ignore_conflicts=True)
        return Books.objects.select_for_update().get(pk=1)


class Statement(models.Model):
    """A closed one. `document` and `sheet` are what was told, byte by byte; nothing of a row ever changes."""

    number = models.PositiveIntegerField(unique=True)
    outlet = models.ForeignKey(Outlet, on_delete=models.PROTECT, related_name="statements")
    month = models.DateField()
    """Its first day."""
    currency = models.CharField(max_length=3)
    closed_at = models.DateTimeField()
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    document = models.BinaryField()
    """JSON, UTF-8."""
    sheet = models.BinaryField()
    """CSV, UTF-8."""
    json_sha256 = models.CharField(max_length=64)
    csv_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["outlet", "month"], name="statement_once")]

    def __str__(self) -> str:
        return f"statement {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Once. Raises TypeError for a row that is stored."""
        if not self._state.adding:
            raise TypeError("A closed statement never changes.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("A closed statement never goes.")


class StatementLine(models.Model):
    """What a statement has told of a month, be it its own or an earlier one that it corrects: of one treatment at one
    price and share. All statements of an outlet together have told the sum of them."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    month = models.DateField()
    treatment = models.CharField(max_length=16, choices=Treatment.choices)
    price = models.BigIntegerField(null=True)
    share_rate = models.PositiveIntegerField()
    """In hundredths of a percent."""
    presses = models.IntegerField()
    revenue = models.BigIntegerField()
    share = models.BigIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.treatment} of {self.month}"
