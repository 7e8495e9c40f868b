"""The forms of channels. They hold to the bounds that the API's serializers have."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from alerts.channels.models import EMAIL, WEBHOOK, Channel
from alerts.conditions.table import CONDITIONS
from alerts.subscriptions.kinds import LONGEST
from telemetry.models import Outlet
from telemetry.visible import visible_outlets

ESCALATED: Final = "escalated"
WHEN: Final = [
    ("0", "At once"),
    ("5", "After 5 minutes, unless somebody has it in hand"),
    ("15", "After 15 minutes, unless somebody has it in hand"),
    ("60", "After an hour, unless somebody has it in hand"),
    (ESCALATED, "When nobody else has taken it up"),
    ("", "Never"),
]
REPORTS: Final = [
    ("", "None"), ("daily", "Each morning"), ("weekly", "On Mondays"), ("both", "Each morning and on Mondays"),
]  # fmt: skip
_TITLES: Final = {EMAIL: "E-mail", WEBHOOK: "Webhook"}


def kind_title(kind: str) -> str:
    return _TITLES.get(kind, kind)


class ChannelForm(forms.Form):
    """What a channel is told, and when."""

    name = forms.CharField(max_length=100, required=False, help_text="As you call it: my phone.")
    when = forms.ChoiceField(label="Incidents", choices=WHEN, required=False)
    conditions = forms.MultipleChoiceField(
        label="Of these kinds", required=False, help_text="None chosen: all.",
        choices=[(condition.kind, condition.label) for condition in CONDITIONS.values()],
    )  # fmt: skip
    outlets: Any = forms.ModelMultipleChoiceField(
        label="At these outlets",
        queryset=Outlet.objects.none(),
        required=False,
        help_text="None chosen: at all, and at none.",
    )
    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        help_text="From then on what is not urgent waits.",
    )  # fmt: skip
    quiet_until = forms.TimeField(
        label="Quiet until", required=False, widget=forms.TimeInput({"type": "time"}, format="%H:%M")
    )
    reports = forms.ChoiceField(label="Reports of what was earned", choices=REPORTS, required=False)
    statements = forms.ChoiceField(
        label="Statements", choices=[("", "No"), ("yes", "When one is closed")], required=False
    )

    def __init__(self, person: Any, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial or {"when": "0"})
        outlets: Any = self.fields["outlets"]
        outlets.queryset = visible_outlets(person).order_by("name_order", "pk")
        if not person.is_staff:
            del self.fields["statements"]

    @staticmethod
    def stored(channel: Channel) -> dict[str, Any]:
        minutes = ESCALATED if channel.after_minutes is None else str(channel.after_minutes)
        reports = {(True, True): "both", (True, False): "daily", (False, True): "weekly"}
        return {
            "name": channel.name, "when": minutes if channel.incidents else "", "conditions": channel.conditions,
            "outlets": channel.outlets, "quiet_from": channel.quiet_from, "quiet_until": channel.quiet_until,
            "reports": reports.get((channel.daily, channel.weekly), ""), "statements": "yes" * channel.statements,
        }  # fmt: skip

    def wanted(self) -> dict[str, Any]:
        """As the services take it."""
        data = self.cleaned_data
        when, reports = data["when"], data["reports"]
        return {
            "name": data["name"], "incidents": bool(when), "conditions": data["conditions"],
            "after_minutes": None if when == ESCALATED else int(when or 0),
            "outlets": [outlet.pk for outlet in data["outlets"]],
            "quiet_from": data["quiet_from"], "quiet_until": data["quiet_until"],
            "daily": reports in ("daily", "both"), "weekly": reports in ("weekly", "both"),
            "statements": bool(data.get("statements")),
        }  # fmt: skip


class NewChannelForm(ChannelForm):
    kind = forms.ChoiceField(label="By")
    target = forms.CharField(
        label="To", max_length=LONGEST, widget=forms.TextInput({"autocomplete": "email"}),
        help_text="An e-mail address; of a webhook https://…; of a chat the address that apprise has for it.",
    )  # fmt: skip
    field_order = ("kind", "target", "name")

    def __init__(self, person: Any, kinds: Iterable[str], data: Any = None) -> None:
        super().__init__(person, data, {"when": "0", "target": person.email})
        kind: Any = self.fields["kind"]
        kind.choices = [(one, kind_title(one)) for one in kinds]


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code", max_length=32, widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"})
    )
