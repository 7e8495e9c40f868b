"""The form that issues a provisioning token, and the choice of a device for it."""

from typing import Any

from django import forms

from device_gateway.claims.services import MAX_LIFETIME_MINUTES
from device_gateway.keys import crypto
from device_gateway.models import Device, ProvisioningToken
from device_gateway.registry.queries import visible_devices
from pages.kit.queries import CHOICES
from telemetry.finding import asked, matching_devices


class DevicePicker:
    """The actor's devices that have the words, as `choices` for a select: at most 200 of them, `more` when there are
    others. `total` is the number of all their devices.
    """

    def __init__(self, actor: Any, words: str) -> None:
        self.words = asked(words)
        self.total = visible_devices(actor).count()
        devices = list(matching_devices(actor, self.words).select_related("owner")[: CHOICES + 1])
        self.more = len(devices) > CHOICES
        self.choices = [(device.pk, _described(device, actor)) for device in devices[:CHOICES]]

    @property
    def is_needed(self) -> bool:
        """Whether a search is of use, or only in the way."""
        return self.total > 10 or bool(self.words)


def _described(device: Device, actor: Any) -> str:
    """How a device reads in a list: its name and what tells it from others of that name."""
    words = [device.name, device.device_id, device.location]
    if actor.is_staff and device.owner_id != actor.pk:
        words.append(f"of {device.owner.get_username()}" if device.owner else "no owner")
    return " · ".join(word for word in words if word)


class TokenForm(forms.Form):
    """A provisioning token for one of the actor's devices."""

    device = forms.ModelChoiceField(queryset=Device.objects.none(), empty_label=None)
    lifetime_minutes = forms.IntegerField(
        label="Lifetime in minutes",
        required=False,
        min_value=1,
        max_value=MAX_LIFETIME_MINUTES,
        help_text="Empty: it never expires.",
        widget=forms.NumberInput(attrs={"list": "lifetimes", "placeholder": "never expires"}),
    )
    notes = forms.CharField(
        required=False,
        max_length=ProvisioningToken._meta.get_field("notes").max_length,
        help_text="For you and your colleagues, as “Line A, third meter”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    encryption = forms.ChoiceField(
        label="Readings",
        required=False,
        choices=[("", "Sent as they are"), (Device.Encryption.AESGCM, "Encrypted by the device (AES-256-GCM)")],
        help_text="Encrypted: the claim also hands out an AES key, and plain readings are refused from then on.",
    )

    def __init__(self, actor: Any, picker: DevicePicker, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        device = self.fields["device"]
        device.queryset = visible_devices(actor)  # type: ignore[attr-defined]
        # Only these are offered; the field's own choices would be every device there is.
        device.widget.choices = [("", "Choose a device"), *picker.choices]
        if not crypto.can_encrypt():
            del self.fields["encryption"]

    @property
    def names_no_device_of_theirs(self) -> bool:
        """Whether a device was named that is not there, or not theirs: to them that is the same."""
        return self.has_error("device", "invalid_choice")
