"""What a person says who puts a board into a machine."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ozone.webapi.names import NameField
from pages.kit.actions import Confirmation
from telemetry.machines.swapping import ALL_BUT_COMMANDS, Keep
from telemetry.models import Outlet


class SwapForm(Confirmation):
    """What stays with the machine; nothing is asked where it has no board. `seen`: which boards and machines are
    concerned."""

    owner = forms.BooleanField(label="The owner stays", required=False)
    settings = forms.BooleanField(label="Name, location and notes stay", required=False)
    pending_commands = forms.BooleanField(label="Commands that may be repeated follow", required=False)

    def __init__(self, data: Any = None, *, seen: str, has_board: bool) -> None:
        super().__init__(data, seen=seen)
        self.initial = {**self.initial, **ALL_BUT_COMMANDS._asdict()}
        if not has_board:
            for name in Keep._fields:
                del self.fields[name]

    @property
    def keep(self) -> Keep:
        return Keep(**{name: self.cleaned_data[name] for name in Keep._fields if name in self.cleaned_data})


class PlaceForm(forms.Form):
    """A new machine, and where it stands: at an outlet that is there, at a new one, or at none."""

    name = NameField(label="Name of the machine", max_length=200)
    outlet = forms.ModelChoiceField(
        queryset=Outlet.objects.filter(archived_at=None).order_by("name_order", "pk"),
        required=False,
        empty_label="None, or a new one",
    )
    new_outlet = NameField(label="New outlet", max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("outlet") and data.get("new_outlet"):
            raise ValidationError("Choose an outlet, or name a new one: the machine stands at one.")
        return data
