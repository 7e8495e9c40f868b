"""The forms on a device's page."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q

from device_gateway.models import Credential, Device
from ozone.webapi.names import NameField
from ozone.wire import jsonio
from ozone.wire.errors import MalformedJson
from pages.kit.actions import Edit
from pages.kit.queries import CHOICES
from telemetry.events.payloads import MAX_KEPT_BODY
from telemetry.events.quarantine import members
from telemetry.finding import asked, matching_machines
from telemetry.machines.swapping import WHAT_STAYS
from telemetry.models import Machine, MachineDevice, QuarantinedEvent
from telemetry.visible import visible_machines

USED_LATELY: Final = timedelta(minutes=10)


class AsksAgain(forms.Form):
    """A form that some have to send twice. `question`: what they are asked in between."""

    sure_of = forms.CharField(required=False, widget=forms.HiddenInput)
    question = ""

    def ask(self, matter: str, question: str) -> None:
        """Raises ValidationError unless the one who sends the form has been asked about this very matter."""
        if self.cleaned_data.get("sure_of") != matter:
            self.question = question
            self.data = {**{name: self.data[name] for name in self.data}, "sure_of": matter}
            raise ValidationError(question)


class EditForm(Edit):
    """What people say of a device."""

    name = NameField(required=False, max_length=200)
    location = forms.CharField(required=False, max_length=200)
    owner = forms.CharField(
        required=False,
        max_length=150,
        help_text="A username. The owner sees the device; pending tokens of it die when it changes hands.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "list": "accounts"}),
    )
    notes = forms.CharField(required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3}))
    assigned = forms.ChoiceField(
        label="What it sends",
        choices=[("yes", "is taken: it is assigned"), ("no", "is refused: it is not assigned")],
    )

    @staticmethod
    def stored(device: Device) -> dict[str, Any]:
        return {
            "name": device.name,
            "location": device.location,
            "owner": device.owner.get_username() if device.owner else "",
            "notes": device.notes,
            "assigned": "yes" if device.assigned else "no",
        }

    def clean_owner(self) -> User | None:
        username = self.cleaned_data["owner"]
        if not username:
            return None
        user: User | None = User.objects.filter(username=username).first()
        if user is None:
            raise ValidationError("There is no account of this name.")
        return user

    def clean_assigned(self) -> bool:
        return bool(self.cleaned_data["assigned"] == "yes")

    @property
    def accounts(self) -> list[str]:
        """To choose from, where they are few."""
        names = list(User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:101])
        return names if len(names) <= 100 else []


class RenameForm(Edit):
    device_id = forms.CharField(
        label="New device_id",
        max_length=63,
        help_text="Letters, digits and . _ : - The name it has now stays its own: the device goes on using it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    @staticmethod
    def stored(device: Device) -> dict[str, Any]:
        return {"device_id": device.device_id}


class AssignDeviceForm(AsksAgain):
    """Into which machine a device goes. Asks again where that ends a binding."""

    machine = forms.ModelChoiceField(queryset=Machine.objects.none(), empty_label=None)

    def __init__(self, actor: Any, device: Device, words: str, data: Any = None) -> None:
        super().__init__(data)
        self.device = device
        self.words = asked(words)
        machines = visible_machines(actor).select_related("outlet", "device")
        field = self.fields["machine"]
        field.queryset = machines  # type: ignore[attr-defined]
        self.total = machines.count()
        # Machines without a device come first.
        matching = matching_machines(actor, self.words).annotate(is_taken=Q(device__isnull=False))
        matching = matching.select_related("outlet", "device").order_by("is_taken", "name_order", "pk")
        found = list(matching.exclude(device=device)[: CHOICES + 1])
        self.more = len(found) > CHOICES
        # Only these are offered; the field's own choices would be every machine there is.
        choices = [(machine.pk, _described(machine)) for machine in found[:CHOICES]]
        field.widget.choices = [("", "Choose a machine"), *choices]

    def clean(self) -> dict[str, Any]:
        machine = self.cleaned_data.get("machine")
        if machine is not None:
            ends = MachineDevice.objects.filter(Q(machine=machine) | Q(device=self.device), is_active=True)
            ended = list(ends.exclude(machine=machine, device=self.device).select_related("machine", "device"))
            if ended:
                found = " ".join(_what_ends(binding, self.device) for binding in ended)
                question = f"{found} What was counted there stays there. Send it once more to go on."
                self.fields["machine"].widget.choices = [(machine.pk, _described(machine))]
                self.ask(",".join(str(binding.pk) for binding in ended), question)
        return self.cleaned_data


def _described(machine: Machine) -> str:
    has = f"has {machine.device.device_id}" if machine.device else "no device"
    return " · ".join([machine.name, machine.outlet.name if machine.outlet else "no outlet", has])


def _what_ends(binding: MachineDevice, device: Device) -> str:
    if binding.device_id == device.pk:
        return f"The machine {binding.machine} has this device and would lose it."
    return f"The machine {binding.machine} has the device {binding.device.device_id} and would lose it. {WHAT_STAYS}"


class AllowForm(AsksAgain):
    """Allows a device to enrol anew. Asks again where it seems to have no need."""

    def __init__(self, key: Credential | None, now: datetime, data: Any = None) -> None:
        super().__init__(data)
        used_at = key.last_used_at if key else None
        self.is_in_use = used_at is not None and abs(now - used_at) < USED_LATELY

    def clean(self) -> dict[str, Any]:
        if self.is_in_use:
            question = (
                "Its token was used within the last 10 minutes, so the device seems to have no need of another."
                " Whoever shakes hands first with its MAC gets it. Send it once more to go on."
            )
            self.ask("in use", question)
        return self.cleaned_data


class CorrectionForm(forms.Form):
    """A refused event's JSON, to be made right."""

    body = forms.CharField(
        label="The event",
        strip=False,
        max_length=2 * MAX_KEPT_BODY,
        help_text="As JSON. What you take out is left out.",
        widget=forms.Textarea(attrs={"rows": 14, "class": "code", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, refused: QuarantinedEvent, data: Any = None) -> None:
        self.told = members(refused.body)
        shown = json.dumps(self.told, indent=2, ensure_ascii=False) if self.told else refused.body
        super().__init__(data, initial={"body": shown})

    def clean_body(self) -> dict[str, Any]:
        """The correction: the members as they are to be, and None for those that are to go."""
        try:
            value = jsonio.decode(self.cleaned_data["body"].encode())
        except MalformedJson as error:
            raise ValidationError(error.detail) from None
        except UnicodeEncodeError:
            raise ValidationError("A lone surrogate is not a character.") from None
        if not isinstance(value, dict):
            raise ValidationError("One event, as a JSON object.")
        return {**dict.fromkeys(self.told), **value}
