"""`python -m bench.fleet COUNT [OWNED]`: migrate the database of DATABASE_URL, register COUNT devices that may send,
and give the first OWNED of them to the account `viewer`.

By the ORM, as nothing else may know the tables, but in bulk: 10,000 devices one by one would take minutes.
"""

import os
import sys

import django
from django.core.management import call_command

from bench.load import device_key

VIEWER_PASSWORD = "a wall of meters to look at"


def main() -> None:
    """Migrate, then create devices with their names, states and credentials."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    call_command("migrate", verbosity=0)

    # Models can only be imported once Django is set up.
    from django.contrib.auth.models import User

    from device_gateway.models import Credential, Device, DeviceName, DeviceState
    from device_gateway.secret import PREFIX_LENGTH, hash_secret

    keys = [device_key(n) for n in range(int(sys.argv[1]))]
    owned = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    viewer = User.objects.create_user("viewer", password=VIEWER_PASSWORD) if owned else None
    devices = Device.objects.bulk_create(
        Device(name=f"Meter {n}", device_id=f"bench-{n}", assigned=True, owner=viewer if n < owned else None)
        for n in range(len(keys))
    )
    DeviceName.objects.bulk_create(DeviceName(name=str(device.device_id), device=device) for device in devices)
    DeviceState.objects.bulk_create(DeviceState(device=device) for device in devices)
    Credential.objects.bulk_create(
        Credential(device=device, hash=hash_secret(key), prefix=key[:PREFIX_LENGTH])
        for device, key in zip(devices, keys, strict=True)
    )


if __name__ == "__main__":
    main()
