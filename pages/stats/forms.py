"""The form of the statistics' filters, as it was filled in."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField

from ozone.wire.conf import options
from pages.kit.filters import RowSelect
from pages.kit.queries import CHOICES
from telemetry.figures.buckets import GRANULARITIES
from telemetry.figures.statistics import Filters, statistics_options

_ALL: Final = ("", "All")
_LONGEST: Final = 64
_WORDS: Final = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


def _text(label: str, placeholder: str = "", **attributes: str) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.TextInput({"placeholder": placeholder, **_WORDS, **attributes}))


def _number(label: str, placeholder: str) -> forms.CharField:
    return _text(label, placeholder, inputmode="numeric", maxlength="20")


def _tick(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, widget=forms.CheckboxInput({"value": "true"}))


def _moment(label: str) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.TextInput({"type": "datetime-local"}))


class StatsForm(forms.Form):
    """Shows what was chosen; the address is read by the API's parameters. `devices` and `zones` are offered to those
    who type."""

    use_required_attribute = False
    outlet_id = forms.ChoiceField(label="Outlet", widget=RowSelect)
    machine_id = forms.ChoiceField(label="Machine")
    granularity = forms.ChoiceField(
        label="By", choices=[("" if one == "day" else one, one.title()) for one in GRANULARITIES]
    )
    days = _number("Days", "7")
    compare = _tick("Compare with before")
    device_id = _text("Device", "All", list="device-names", maxlength=str(_LONGEST))
    start = _moment("From")
    end = _moment("Until")
    tz = _text("Time zone", list="zones", maxlength=str(_LONGEST))
    ma = _number("Moving average over", "off")
    cumulative = _tick("Running total")

    FOLDED: Final = ("device_id", "start", "end", "tz", "ma", "cumulative")

    def __init__(self, actor: Any, filters: Filters, words: Mapping[str, Any], zone: str) -> None:
        chosen = {**words, "outlet_id": filters.outlet_id, "machine_id": filters.machine_id}
        chosen |= {"compare": filters.compare, "cumulative": filters.cumulative}
        chosen["granularity"] = "" if filters.granularity == "day" else filters.granularity
        super().__init__(initial=chosen, auto_id="%s")
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"{name}-error"
        self.fields["tz"].widget.attrs["placeholder"] = zone
        self.zones = sorted({options().STATS_TIME_ZONE, options().DEVICE_TIME_ZONE, "UTC"})
        machine = filters.machine_id
        found = statistics_options(actor, outlet_id=filters.outlet_id, machine_id=machine, most=CHOICES)
        self._choose("outlet_id", [_choice(one) for one in found["outlets"]])
        self._choose("machine_id", _machines(found["machines"], machine, "machines" in found["more"]))
        self.devices = found["devices"]

    def _choose(self, name: str, choices: list[Any]) -> None:
        self.fields[name].choices = [_ALL, *choices]  # type: ignore[attr-defined]

    @property
    def changing(self) -> str:
        """The parts of it that follow what is chosen, as htmx names them."""
        return ", ".join(["#machine_id", "#device-names", *(f"#{name}-error" for name in self.fields)])

    @property
    def first(self) -> Iterator[BoundField]:
        return (self[name] for name in self.fields if name not in self.FOLDED)

    @property
    def folded(self) -> Iterator[BoundField]:
        return (self[name] for name in self.FOLDED)


def _choice(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["id"], f"{row['name']} (deleted)" if row.get("archived") else row["name"]


def _machines(machines: list[dict[str, Any]], chosen: int | None, is_cut: bool) -> list[Any]:
    """As many as a list can hold. A chosen one is always among them."""
    shown: list[Any] = [_choice(machine) for machine in machines]
    if chosen is not None and all(pk != chosen for pk, _ in shown):
        shown.append((chosen, f"no. {chosen}"))
    # A group of none: it can be read, and not chosen.
    return [*shown, ("Choose an outlet to see all of its", ())] if is_cut else shown
