"""The forms of the devices' list: adding them by hand or from a file. The registry's services judge the words."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from ozone.webapi.names import NameField
from pages.devices.file import MAX_BYTES
from pages.kit.filters import ANY, Chosen, ChosenRow, Filters, search
from telemetry.presence import Presence
from telemetry.visible import visible_outlets


def _field(label: str, longest: int, help_text: str = "", **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attributes})
    return forms.CharField(label=label, required=False, max_length=longest, help_text=help_text, widget=widget)


class NewDeviceForm(forms.Form):
    """A new device. Its `cleaned_data` are those fields that were filled in."""

    name = NameField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))
    device_id = _field("Device ID", 63, "As the device tells it. Empty: its MAC, or one we give it.")
    mac = _field("MAC address", 32, placeholder="EC:E3:34:46:2B:C0")
    location = _field("Location", 200)
    owner = forms.ModelChoiceField(
        queryset=User.objects.filter(is_active=True).order_by("username"),
        required=False,
        empty_label="Nobody",
        help_text="Sees it, besides staff.",
    )
    notes = _field("Notes", 500)

    def clean(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}


class UploadForm(forms.Form):
    """A file of devices."""

    file = forms.FileField(label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}))

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1024:,} KiB.")
        return file


class DeviceFilters(Filters):
    """`outlet` is there where the actor sees any."""

    q = search("Name, number, place, MAC")
    status = Chosen([(one.value, one.value.title()) for one in Presence])
    assigned = Chosen([("yes", "Yes"), ("no", "Not yet"), ("spare", "Spare")])
    outlet = ChosenRow([])

    def __init__(self, actor: Any, chosen: dict[str, str], words: str) -> None:
        super().__init__(chosen, words)
        outlets = [
            (str(pk), name)
            for pk, name in visible_outlets(actor).order_by("name_order", "pk").values_list("pk", "name")
        ]
        if outlets:
            self.fields["outlet"].choices = [ANY, *outlets]  # type: ignore[attr-defined]
        else:
            del self.fields["outlet"]
