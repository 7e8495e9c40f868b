"""The forms of incidents, maintenance and thresholds."""

from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from alerts.conditions.table import CONDITIONS
from device_gateway.models import Device
from ozone.wire.errors import Invalid
from ozone.wire.times import parse_query, people_zone
from telemetry.models import Machine, Outlet
from telemetry.opening import LONGEST

SNOOZES: Final = [("1", "An hour"), ("4", "Four hours"), ("24", "A day"), ("72", "Three days"), ("168", "A week")]
LONGEST_NOTE: Final = 500
MONTHS: Final = 60 * 24 * 60
"""Two, in minutes."""


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.TextInput({"autocomplete": "off", "placeholder": "What is being done about it"}),
    )


class SnoozeForm(forms.Form):
    hours = forms.ChoiceField(label="For", choices=SNOOZES)


class Moment(forms.CharField):
    """A time by the clock of the pages, as the browser's own field tells it."""

    def __init__(self, **more: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local", "step": "60"})
        super().__init__(max_length=40, widget=widget, **more)

    def clean(self, value: Any) -> datetime | None:
        words: str = super().clean(value)
        try:
            return parse_query("time", words, people_zone()) if words else None
        except Invalid:
            raise ValidationError("A day and a time.", code="invalid") from None


def _outlets() -> forms.ModelChoiceField:
    rows = Outlet.objects.filter(archived_at=None).order_by("name_order", "pk")
    return forms.ModelChoiceField(label="Outlet", queryset=rows, required=False, empty_label="Everywhere")


class MaintenanceForm(forms.Form):
    """Of an outlet or of everything; or of the machine whose page led here."""

    machine = forms.IntegerField(widget=forms.HiddenInput)
    outlet = _outlets()
    start = Moment(label="From", required=False, help_text="Empty: from now on.")
    end = Moment(label="Until", required=False)
    weekly = forms.CharField(
        label="Or each week",
        required=False,
        max_length=LONGEST,
        help_text="As opening hours are written: Su 02:00-04:00.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    note = forms.CharField(label="Note", required=False, max_length=LONGEST_NOTE)

    def __init__(self, machine: Machine | None, outlet: Outlet | None, data: Any = None) -> None:
        super().__init__(data, initial={"outlet": outlet, "machine": machine and machine.pk})
        del self.fields["machine" if machine is None else "outlet"]


class RuleForm(forms.Form):
    """A threshold of an outlet or of everything, or of the device whose page led here. What is left empty goes by the
    next wider one."""

    kind = forms.ChoiceField(
        label="What", choices=[(condition.kind, condition.label) for condition in CONDITIONS.values()]
    )
    device = forms.IntegerField(widget=forms.HiddenInput)
    outlet = _outlets()
    is_on = forms.ChoiceField(label="Tell", choices=[("yes", "Yes"), ("no", "No, nobody is told of it there")])
    minutes = forms.IntegerField(
        label="After so many minutes", required=False, min_value=1, max_value=MONTHS, help_text="Where it lasts."
    )
    number = forms.IntegerField(
        label="From how many on", required=False, min_value=1, max_value=2**31 - 1, help_text="Where it is counted."
    )
    field = forms.CharField(
        label="Member of a reading", required=False, max_length=64, help_text="Of readings only: voltage."
    )
    low = forms.FloatField(label="Under", required=False)
    high = forms.FloatField(label="Over", required=False)

    def __init__(self, device: Device | None, outlet: Outlet | None, data: Any = None) -> None:
        super().__init__(data, initial={"outlet": outlet, "device": device and device.pk})
        del self.fields["device" if device is None else "outlet"]

    def clean(self) -> dict[str, Any]:
        low, high = self.cleaned_data.get("low"), self.cleaned_data.get("high")
        if low is not None and high is not None and low >= high:
            self.add_error("high", "More than what it is not to be under.")
        return self.cleaned_data
