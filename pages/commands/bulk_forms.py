"""The forms that act on many devices, selected in their list."""

import re
from typing import Any, Final

from django import forms
from django.contrib.auth.models import User

from pages.commands.forms import CommandForm
from telemetry.commands.types import type_named

MANY: Final = 10
"""From so many devices on a command that cannot be taken back asks for their number."""
_LEAVE: Final = ("", "Leave as it is")
_NOBODY: Final = "nobody"


class Selection(forms.Form):
    """The devices that were selected in the list, through the form that asks what to do with them.

    `devices`: their numbers or device_ids with blanks between; `query`: the search of the list, to go back to; `sure`:
    that this form was sent, and not the list's.
    """

    do = forms.CharField(widget=forms.HiddenInput)
    devices = forms.CharField(widget=forms.HiddenInput)
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    sure = forms.CharField(initial="yes", widget=forms.HiddenInput)


class BulkCommandForm(CommandForm, Selection):
    """One command for `count` devices. Of one that cannot be taken back, for many, it asks that number first."""

    number = forms.CharField(required=False, widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}))

    def __init__(self, *args: Any, count: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._count = count
        self._kind = type_named(self.data.get("command_type", ""))
        if count < MANY or not self._kind.is_final:
            del self.fields["number"]
        else:
            self.fields["number"].label = f"Type {count}"

    def clean_number(self) -> str:
        typed = re.sub(r"[\s,.'’]", "", self.cleaned_data["number"])
        if typed != str(self._count):
            raise forms.ValidationError(
                f"{self._kind.harm} That cannot be taken back, and is meant for {self._count:,} devices. Type"
                f" {self._count} to send it to them."
            )
        return typed


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
