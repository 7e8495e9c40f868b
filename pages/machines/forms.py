"""The forms of machines. They hold to the bounds that the API's serializers have."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.webapi.names import NameField
from ozone.wire.errors import NotFound
from pages.kit.actions import Confirmation, Edit
from pages.kit.filters import ANY, Chosen, ChosenRow, Filters, search
from pages.kit.queries import CHOICES
from telemetry.finding import BY_NAME
from telemetry.models import Machine, Outlet
from telemetry.presence import Presence
from telemetry.visible import visible_outlets

SHEET_COLUMNS: Final = 3
SHEET_ROWS: Final = 8
SHEET: Final = SHEET_COLUMNS * SHEET_ROWS
"""Labels of a sheet of A4."""
_IN_USE: Final = [(True, "In use"), (False, "Not in use")]


def in_use() -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label="State", choices=_IN_USE, coerce=lambda word: word == "True", initial=True)


def _outlets() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        queryset=Outlet.objects.filter(archived_at=None).order_by("name_order", "pk"),
        required=False,
        empty_label="No outlet",
    )


class DeviceField(forms.CharField):
    """Any name of a device that the actor may see: its value is that Device, None where it is left empty."""

    def __init__(self, actor: Any) -> None:
        hint = "Its device ID, MAC address or number. The list offers those that no machine has."
        widget = forms.TextInput(attrs={"list": "free-devices", "autocomplete": "off", "placeholder": "No device"})
        super().__init__(label="Device", required=False, max_length=100, help_text=hint, widget=widget)
        self.actor = actor

    def clean(self, value: Any) -> Device | None:
        name: str = super().clean(value)
        try:
            return find_device(visible_devices(self.actor), name) if name else None
        except NotFound as error:
            raise ValidationError(error.detail, code=error.code) from None


def free_devices(actor: Any) -> list[Device]:
    """The first of those that no machine has."""
    return list(visible_devices(actor).filter(machine=None).order_by(BY_NAME, "pk")[:CHOICES])


class MachineFields(forms.Form):
    name = NameField(max_length=200)
    outlet = _outlets()
    is_active = in_use()
    installed_date = forms.DateField(
        label="Installed", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class MachineForm(Edit, MachineFields):
    """A machine's own fields."""

    @staticmethod
    def stored(machine: Machine) -> dict[str, Any]:
        return {name: getattr(machine, name) for name in MachineFields.base_fields}


class NewMachineForm(MachineFields):
    """The same, and the device to begin with."""

    def __init__(self, actor: Any, data: Any = None) -> None:
        super().__init__(data)
        self.fields["device"] = DeviceField(actor)


class AssignMachineForm(Edit):
    """Where a machine stands and which device it has."""

    outlet = _outlets()
    move = forms.BooleanField(required=False, widget=forms.HiddenInput)
    """That the device leaves another machine, or the machine its device, has been asked and answered."""

    def __init__(self, actor: Any, machine: Machine, data: Any = None) -> None:
        super().__init__(self.stored(machine), data, device=DeviceField(actor))

    @staticmethod
    def stored(machine: Machine) -> dict[str, Any]:
        return {"outlet": machine.outlet, "device": machine.device.device_id if machine.device else ""}

    def asking(self) -> forms.Form:
        """The same, sent once more by whoever says yes: nothing on it can be changed."""
        form = forms.Form()
        told = {name: self.data[name] for name in self.data if name.removeprefix("initial-") in self.initial}
        for name, value in {**told, "move": "True"}.items():
            form.fields[name] = forms.CharField(initial=value, widget=forms.HiddenInput)
        return form

    def clean(self) -> dict[str, Any]:
        if not self.is_told:
            raise ValidationError("Choose an outlet, a device, or both.", code="required")
        return self.cleaned_data


class UnassignForm(Confirmation):
    """What to take from a machine; its device, unless told."""

    what = forms.ChoiceField(label="Take away", required=False)

    def __init__(self, machine: Machine, data: Any = None) -> None:
        super().__init__(data, seen=f"{machine.device_id or ''} {machine.outlet_id or ''}")
        held = {"device": machine.device and f"The device {machine.device.device_id}", "outlet": machine.outlet}
        choices = [(name, str(thing)) for name, thing in held.items() if thing]
        if len(choices) > 1:
            choices.append(("both", "Both"))
        self.fields["what"].choices = choices  # type: ignore[attr-defined]


class MachineFilters(Filters):
    q = search("Machine, outlet, device, MAC")
    status = Chosen([(one.value, one.value.title()) for one in Presence])
    device = Chosen([("yes", "With a device"), ("no", "Without one")])
    outlet = ChosenRow([])

    def __init__(self, actor: Any, chosen: dict[str, str], words: str) -> None:
        super().__init__(chosen, words)
        self.fields["outlet"].choices = _outlet_choices(actor)  # type: ignore[attr-defined]


class LabelFilters(Filters):
    """Whose labels, and on what. `machine`: the one whose page led here."""

    q = search("Machine, outlet, device, MAC")
    outlet = ChosenRow([])
    paper = Chosen(
        [("single", "One label a page, 70 × 37 mm")],
        usual=("", f"A4, {SHEET_COLUMNS} × {SHEET_ROWS} labels of 70 × 37 mm"),
    )
    used = Chosen([(str(number), str(number)) for number in range(1, SHEET)], "Used labels", usual=("", "None"))
    machine = ChosenRow([])

    def __init__(self, actor: Any, chosen: dict[str, str], words: str) -> None:
        super().__init__(chosen, words)
        self.fields["outlet"].choices = _outlet_choices(actor)  # type: ignore[attr-defined]
        self.fields["machine"].widget = forms.HiddenInput()


def _outlet_choices(actor: Any) -> list[tuple[str, str]]:
    outlets = visible_outlets(actor).order_by("name_order", "pk").values_list("pk", "name")
    return [ANY, ("0", "No outlet"), *((str(pk), name) for pk, name in outlets)]
