"""What people look for, over several tables at once: rows in which each word occurs somewhere, as texts are folded."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Replace

from device_gateway.models import CALLED, Device, DeviceName
from device_gateway.names import spelled_mac
from device_gateway.registry.queries import visible_devices
from ozone.wire.folding import folded
from telemetry.models import Machine, Outlet
from telemetry.visible import visible_machines, visible_outlets

BY_NAME: Final = CALLED.asc(nulls_last=True)
LONGEST: Final = 100
"""Characters of a search that are looked at."""
WORDS: Final = 8
"""Each is one more condition on every row."""
FEW: Final = 2_000
"""A word that so many rows have at most is rare."""
_TEXTS: Final = ("name", "location", "firmware")
"""Of a device, each with a column that follows it."""
_LABEL_CODE: Final = re.compile("m-([1-9][0-9]{0,17})")
_HEX: Final = re.compile(r"(?=.*\d|.{6})[0-9a-f]{4,12}")
"""Of a MAC's digits: `cafe` and `bad` are words."""


def asked(words: str) -> str:
    """What somebody has typed into a search, as far as it is looked at. (PostgreSQL takes no NUL.)"""
    return words.replace("\0", "").strip()[:LONGEST]


def folded_words(words: str) -> list[str]:
    """The words to look for; a MAC is one, in whatever spelling."""
    mac = spelled_mac(words)
    return [folded(word) for word in ([mac] if mac else words.split()[:WORDS])]


def matching_devices(actor: Any, words: str, *, archived: bool = False) -> "QuerySet[Device]":
    """The actor's devices, by name, that `devices_with` finds. With `archived` the archived ones are among them."""
    return devices_with(actor, visible_devices(actor, archived=archived).order_by(BY_NAME, "pk"), words)


def matching_machines(actor: Any, words: str, *, archived: bool = False) -> "QuerySet[Machine]":
    return machines_with(visible_machines(actor, archived=archived), words)


def matching_outlets(actor: Any, words: str, *, archived: bool = False) -> "QuerySet[Outlet]":
    return outlets_with(visible_outlets(actor, archived=archived), words)


def devices_with(actor: Any, devices: "QuerySet[Device]", words: str) -> "QuerySet[Device]":
    """Those of the devices in which each of the words occurs: in a name it has or had, its location, MAC, firmware or
    number, its machine or that one's outlet; for staff, in its owner's name.

    Asks at once which devices have a rare word, table by table: by index, where the database has one for words. The
    others are looked for among these.
    """
    texts = folded_words(words)
    rare = {word: few for word in texts if (few := _few(_devices(actor, word))) is not None}
    names = DeviceName.objects.all()
    if rare:
        among = set.intersection(*rare.values())
        devices, names = devices.filter(pk__in=among), names.filter(device__in=among)
    for word in texts:
        if word in rare:
            continue
        found = _in_device(word, names) | occurs(word, "machine__name", "machine__outlet__name") | _number(word)
        if actor.is_staff:
            found |= Q(owner__in=_owners(word))
        devices = devices.filter(found)
    return devices


def machines_with(machines: "QuerySet[Machine]", words: str) -> "QuerySet[Machine]":
    """Those of the machines in which each of the words occurs: in its name, its outlet's, or anything of its device; or
    that have it on their label. As above."""
    texts = folded_words(words)
    rare = {word: few for word in texts if (few := _few_machines(word)) is not None}
    names = DeviceName.objects.all()
    if rare:
        among = set.intersection(*rare.values())
        machines, names = machines.filter(pk__in=among), names.filter(device__machine__in=among)
    for word in texts:
        if word not in rare:
            found = occurs(word, "name", "outlet__name") | _in_device(word, names, "device__") | _label(word)
            machines = machines.filter(found)
    return machines


def _few(found: Iterable["QuerySet[Any, Any]"]) -> set[int] | None:
    """The keys that all of these have together; None where they are many, after which the others are not asked for."""
    keys: set[int] = set()
    for some in found:
        keys.update(some.order_by()[: FEW + 1])
        if len(keys) > FEW:
            return None
    return keys


def _devices(actor: Any, word: str) -> Iterator["QuerySet[Any, Any]"]:
    """The keys of devices that have the word, a table each."""
    yield from _devices_alone(word)
    yield from (some.exclude(device=None).values_list("device", flat=True) for some in _machines_alone(word))
    own = _number(word)
    if actor.is_staff:
        own |= Q(owner__in=_owners(word))
    if own:
        yield Device.objects.filter(own).values_list("pk", flat=True)


def _few_machines(word: str) -> set[int] | None:
    devices = _few(_devices_alone(word))
    if devices is None:
        return None
    found = [*_machines_alone(word), Machine.objects.filter(device__in=devices)]
    if code := _label(word):
        found.append(Machine.objects.filter(code))
    return _few(some.values_list("pk", flat=True) for some in found)


def _devices_alone(word: str) -> Iterator["QuerySet[Any, Any]"]:
    yield Device.objects.filter(occurs(word, *_TEXTS)).values_list("pk", flat=True)
    yield _having(DeviceName.objects.all(), word).values_list("device", flat=True)


def _machines_alone(word: str) -> Iterator["QuerySet[Machine]"]:
    yield Machine.objects.filter(occurs(word, "name"))
    yield Machine.objects.filter(outlet__in=Outlet.objects.filter(occurs(word, "name")))


def outlets_with(outlets: "QuerySet[Outlet]", words: str) -> "QuerySet[Outlet]":
    """Those of the outlets in which each of the words occurs: in its name, region, address or contact."""
    for word in folded_words(words):
        outlets = outlets.filter(occurs(word, "name", "region", "address", "contact_person"))
    return outlets


def occurs(word: str, *texts: str) -> Q:
    """That the word occurs in one of the texts, which have a column that follows them."""
    found = Q()
    for text in texts:
        found |= Q(**{f"{text}_folded__contains": word})
    return found


def _in_device(word: str, names: "QuerySet[DeviceName]", device: str = "") -> Q:
    """The same of a device, to which `device` leads (`device__`). One query finds the names, of all devices."""
    own = occurs(word, *(f"{device}{text}" for text in _TEXTS))
    return own | Q(**{f"{device}pk__in": _having(names, word).values("device")})


def _having(names: "QuerySet[DeviceName]", word: str) -> "QuerySet[DeviceName]":
    """Device IDs and MACs, present and former, in which the word occurs; of a MAC also without, or with other,
    separators."""
    found = occurs(word, "name")
    if mac := spelled_mac(word):
        found |= occurs(folded(mac), "name")
    digits = re.sub("[:.-]", "", word)
    if _HEX.fullmatch(digits):
        names = names.alias(digits=Replace("name_folded", Value(":"), Value(""), output_field=TextField()))
        found |= Q(digits__contains=digits)
    return names.filter(found)


def _number(word: str) -> Q:
    """That it is the device's number."""
    is_one = word.isascii() and word.isdigit() and len(word) < 19 and not word.startswith("0")
    return Q(pk=int(word)) if is_one else Q()


def _label(word: str) -> Q:
    """That it stands on the machine's label."""
    code = _LABEL_CODE.fullmatch(word)
    return Q(pk=int(code[1])) if code else Q()


def _owners(word: str) -> list[int]:
    """The people who have a device and the word in their name. Django's own table has no folded names."""
    people = User.objects.filter(devices__isnull=False).distinct().values_list("pk", "username")
    return [pk for pk, name in people if word in folded(name)]
