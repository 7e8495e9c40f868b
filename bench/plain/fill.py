"""`python -m bench.plain.fill COUNT`: create the tables of the plain project and its devices."""

import os
import sys

import django
from django.core.management import call_command

from bench.load import device_key


def main() -> None:
    """Create tables and `COUNT` devices in the database of DATABASE_URL."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.plain.settings")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)

    from bench.plain.models import Device  # models can only be imported once Django is set up

    count = int(sys.argv[1])
    Device.objects.bulk_create(Device(name=f"Meter {n}", token=device_key(n)) for n in range(count))


if __name__ == "__main__":
    main()
