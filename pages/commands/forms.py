"""The forms by which people send commands. What may be sent is the API's rule: its serializer judges here, too."""

import json
from typing import Any, Final

from django import forms

from ozone.wire import jsonio
from ozone.wire.errors import MalformedJson
from telemetry.commands.types import command_types
from telemetry.commands.views import MAX_HOURS, CommandRequest
from telemetry.models import Command

_DEFAULT_HOURS: Final = 24


def _types() -> list[tuple[str, str]]:
    """What a command may be, with what the firmware makes of its own."""
    return [("", "Choose a command"), *((kind.name, kind.words) for kind in command_types())]


class CommandForm(forms.Form):
    """A command. Its `cleaned_data` are the fields that `telemetry.commands.services.create` takes."""

    command_type = forms.ChoiceField(label="Command", choices=_types)
    priority = forms.ChoiceField(choices=Command.Priority.choices, initial=Command.Priority.NORMAL)
    description = forms.CharField(
        required=False,
        max_length=500,
        help_text="For you and your colleagues: why it is sent.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    payload = forms.CharField(
        required=False,
        help_text='A JSON object, as {"poll_seconds": 30}. Empty: none.',
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off", "class": "code"}),
    )
    expires_in_hours = forms.FloatField(
        label="Expires after hours",
        initial=_DEFAULT_HOURS,
        max_value=MAX_HOURS,
        help_text="A device that has not asked by then does not get it.",
        widget=forms.NumberInput(attrs={"min": 0, "step": "any"}),
    )
    force = forms.BooleanField(
        label="Send it whatever the firmware",
        required=False,
        help_text="Also where the command is known to harm devices with that firmware.",
    )

    def clean_payload(self) -> Any:
        text = self.cleaned_data["payload"].strip()
        if not text:
            return {}
        try:
            return jsonio.decode(text.encode("utf-8", "surrogatepass"))
        except MalformedJson as error:
            raise forms.ValidationError(_place(text) or error.detail.replace("The body", "The payload")) from None

    def clean(self) -> dict[str, Any]:
        wanted = CommandRequest(data={name: self.cleaned_data[name] for name in _FIELDS if name in self.cleaned_data})
        if not wanted.is_valid():
            for name in wanted.errors.keys() - self.errors.keys():
                self.add_error(name, [str(sentence) for sentence in wanted.errors[name]])
            return self.cleaned_data
        return dict(wanted.validated_data)


_FIELDS: Final = ("command_type", "priority", "description", "payload", "expires_in_hours", "force")


def _place(text: str) -> str:
    """Where JSON goes wrong, in a person's terms; "" where it is JSON, and refused for another reason."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"Not valid JSON, in line {error.lineno} at character {error.colno}: {error.msg}."
    except RecursionError:
        pass
    return ""
