"""Prices and shares, each as it holds from a local day of STATS_TIME_ZONE on, until the next of its kind."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from telemetry.models import Outlet, Treatment


class _FromADay(models.Model):
    valid_from = models.DateField()
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        abstract = True


class Price(_FromADay):
    """What a treatment costs at an outlet; without one, wherever the outlet has no price of its own that day."""

    outlet = models.ForeignKey(Outlet, on_delete=models.PROTECT, null=True, blank=True, related_name="prices")
    treatment = models.CharField(max_length=16, choices=Treatment.choices)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(null=True)
    """In the currency's smallest unit. None: from then on there is none; an outlet goes by what holds everywhere."""

    class Meta:
        ordering = ["valid_from", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["outlet", "treatment", "currency", "valid_from"],
                condition=models.Q(outlet__isnull=False),
                name="price_once_an_outlet",
            ),
            models.UniqueConstraint(
                fields=["treatment", "currency", "valid_from"],
                condition=models.Q(outlet__isnull=True),
                name="price_once_everywhere",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__isnull=True) | models.Q(amount__gte=0), name="price_sign"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.treatment} from {self.valid_from}"


class Share(_FromADay):
    """How much of what is earned at an outlet is the outlet's."""

    outlet = models.ForeignKey(Outlet, on_delete=models.PROTECT, related_name="shares")
    hundredths = models.PositiveIntegerField()
    """Of a percent: 3000 are 30 %."""

    class Meta:
        ordering = ["valid_from", "id"]
        constraints = [
            models.UniqueConstraint(fields=["outlet", "valid_from"], name="share_once"),
            models.CheckConstraint(condition=models.Q(hundredths__lte=10_000), name="share_at_most_all"),
        ]

    def __str__(self) -> str:
        return f"share of outlet {self.outlet_id} from {self.valid_from}"
