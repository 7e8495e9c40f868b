"""The forms of the devices' list: adding them, and changing many at once. The registry's services judge the words."""

from typing import Any, Final

from django import forms
from django.contrib.auth.models import User

from pages.commands.forms import CommandForm
from pages.devices.file import MAX_BYTES

_LEAVE: Final = ("", "Leave as it is")
_NOBODY: Final = "nobody"


def _field(label: str, longest: int, help_text: str = "", **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attributes})
    return forms.CharField(label=label, required=False, max_length=longest, help_text=help_text, widget=widget)


class NewDeviceForm(forms.Form):
    """A new device. Its `cleaned_data` are those fields that were filled in."""

    name = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))
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


class Selection(forms.Form):
    """The devices that were selected in the list, through the form that asks what to do with them.

    `devices`: their device_ids with blanks between; `query`: the search of the list, to go back to; `sure`: that this
    form was sent, and not the list's.
    """

    do = forms.CharField(widget=forms.HiddenInput)
    devices = forms.CharField(widget=forms.HiddenInput)
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    sure = forms.CharField(initial="yes", widget=forms.HiddenInput)


class BulkCommandForm(CommandForm, Selection):
    """One command for many devices."""


class BulkChangeForm(Selection):
    """`changes` are the fields to set on each of the devices."""

    assigned = forms.ChoiceField(
        required=False,
        choices=[_LEAVE, ("yes", "Yes"), ("no", "No")],
        help_text="Only an assigned device may send, and gets commands.",
    )
    owner = forms.ChoiceField(required=False, help_text="Sees the devices, besides staff.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = User.objects.filter(is_active=True).order_by("username").values_list("pk", "username")
        owner = self.fields["owner"]
        owner.choices = [_LEAVE, (_NOBODY, "Nobody"), *((str(pk), name) for pk, name in users)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.changes:
            raise forms.ValidationError("Choose what to change.")
        return self.cleaned_data

    @property
    def changes(self) -> dict[str, Any]:
        data = self.cleaned_data
        changes: dict[str, Any] = {}
        if data["assigned"]:
            changes["assigned"] = data["assigned"] == "yes"
        if data["owner"]:
            changes["owner_id"] = None if data["owner"] == _NOBODY else int(data["owner"])
        return changes
