"""What the pages keep for themselves."""

from django.db import models


class SentForm(models.Model):
    """A form that somebody has sent. `outcome` is what came of it, sealed with the form's own key, which only the
    browser has; None while it is worked on. See `pages.kit.once`."""

    digest = models.CharField(max_length=64, unique=True)
    sent_at = models.DateTimeField(db_index=True)
    outcome = models.BinaryField(null=True)

    def __str__(self) -> str:
        return f"{self.digest[:8]} {self.sent_at:%Y-%m-%d %H:%M:%S}"
