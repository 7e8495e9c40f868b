"""The sign of life of whoever looks."""

from django.db import models


class Beat(models.Model):
    """One row, renewed by the process that leads."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()
    counting_from = models.DateTimeField()
    """Nobody was listening before, or by another clock: silence counts from then."""

    def __str__(self) -> str:
        return f"beat at {self.at}"
