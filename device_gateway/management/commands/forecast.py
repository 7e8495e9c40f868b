"""`python manage.py forecast`: how large the database is, what a day adds, and when there will be no room left."""

from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from device_gateway.room import LEAST, Forecast, forecast, sample


class Command(BaseCommand):
    help = "Tells how large the database is, what a day adds, and in how many days it is full."

    def handle(self, **_: Any) -> None:
        found = forecast(sample(timezone.now()))
        assert found is not None
        for sentence in sentences(found):
            self.stdout.write(sentence)


def sentences(found: Forecast) -> list[str]:
    free = (
        "how much is free is not known here: set DATABASE_ROOM" if found.free is None else f"{_size(found.free)} free"
    )
    said = [f"The database holds {_size(found.used)} and some {found.rows:,} readings and events; {free}."]
    if found.bytes_a_day is None or found.rows_a_day is None:
        hours = round(LEAST.total_seconds() / 3600)
        return [*said, f"What a day adds is known when a server has run for {hours} hours."]
    said.append(f"A day adds {_size(found.bytes_a_day)} and {found.rows_a_day:,} readings and events.")
    if found.days is not None:
        said.append(f"Full in {found.days:.0f} days.")
    elif found.bytes_a_day <= 0:
        said.append("It does not grow.")
    return said


def _size(number: int) -> str:
    return filesizeformat(number).replace("\xa0", " ")
