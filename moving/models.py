"""What a move remembers, so that it may be repeated: which row of an earlier system is which row of ours."""

from django.db import models


class MovedRow(models.Model):
    """One row of an earlier system's database, and the row that it is here.

    Events and readings have none: their ids say where they come from.
    """

    generation = models.CharField(max_length=16)
    table = models.CharField(max_length=64)
    old = models.CharField(max_length=64)
    new = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "table", "old"], name="moved_once")]

    def __str__(self) -> str:
        return f"{self.generation} {self.table} {self.old}"
