"""The whole registry loaded anew, and what Python's collector of garbage makes of it."""

import gc
import weakref

from device_gateway.keys.memory import keyring
from device_gateway.models import Device
from device_gateway.tests.conftest import equip


class Old:
    """Garbage as soon as nobody holds it, and only the collector can tell."""

    def __init__(self) -> None:
        self.itself = self


def test_the_registry_stays_and_garbage_does_not(write_path: None) -> None:
    """The collector looks no more through what is loaded; what was garbage before is gone, however old."""
    old = Old()
    gone = weakref.ref(old)
    gc.collect()  # it has grown as old as can be
    del old
    equip(Device.objects.create(name="Factory Meter 1"))
    frozen = gc.get_freeze_count()
    keyring.reload()
    assert gc.get_freeze_count() > frozen
    gc.collect()
    assert gone() is None
