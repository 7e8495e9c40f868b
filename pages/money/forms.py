"""The forms of prices and shares. They hold to the bounds that the API's serializers have."""

from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from ledger.prices import money
from ozone.wire.conf import options
from telemetry.models import Outlet
from telemetry.treatments import COUNTERS

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)


def _outlets(**more: Any) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        label="Outlet", queryset=Outlet.objects.filter(archived_at=None).order_by("name_order", "pk"), **more
    )


class Written(forms.CharField):
    """A decimal number as people type it, with a point or a comma; `read` makes a whole number of it."""

    def __init__(self, **more: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(max_length=20, widget=forms.TextInput(attributes), **more)

    def clean(self, value: Any) -> int | None:
        words: str = super().clean(value).replace(",", ".")
        try:
            return self.read(words) if words else None
        except ValueError:
            raise ValidationError(self.sentence(), code="invalid") from None

    def read(self, words: str) -> int:
        raise NotImplementedError

    def sentence(self) -> str:
        raise NotImplementedError


class Amount(Written):
    """Of CURRENCY, in its smallest unit."""

    def read(self, words: str) -> int:
        return money.read(words, options().CURRENCY)

    def sentence(self) -> str:
        places = money.decimals(options().CURRENCY)
        return f"An amount of {options().CURRENCY}, with {f'at most {places}' if places else 'no'} decimal places."


class Percentage(Written):
    """In hundredths of a percent."""

    def read(self, words: str) -> int:
        return money.read_percent(words)

    def sentence(self) -> str:
        return "A percentage from 0 to 100, with at most two decimal places."


class _FromADay(forms.Form):
    def __init__(self, outlet: Outlet | None, today: date, data: Any = None) -> None:
        super().__init__(data, initial={"outlet": outlet, "valid_from": today})

    def clean_valid_from(self) -> date:
        day: date = self.cleaned_data["valid_from"]
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError("A day of the years 2000 to 2199.", code="invalid")
        return day


def _day() -> forms.DateField:
    return forms.DateField(label="From", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))


class PricesForm(_FromADay):
    """What one or more treatments cost from a day on. A field left empty leaves that price as it is."""

    outlet = _outlets(required=False, empty_label="Everywhere")
    valid_from = _day()
    basic = Amount(label="Basic", required=False)
    standard = Amount(label="Standard", required=False)
    premium = Amount(label="Premium", required=False)
    ends = forms.ChoiceField(
        label="Prices of its own",
        choices=[("", "As told above"), ("ends", "End, and those that hold everywhere hold there")],
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        told = [name for name in COUNTERS if self.cleaned_data.get(name) is not None]
        if not self.errors and not told and not self.cleaned_data.get("ends"):
            raise ValidationError("Fill in at least one price.", code="required")
        if self.cleaned_data.get("ends") and (told or self.cleaned_data.get("outlet") is None):
            raise ValidationError("Prices end at an outlet, and without new ones.", code="invalid")
        return self.cleaned_data


class ShareForm(_FromADay):
    outlet = _outlets()
    valid_from = _day()
    percent = Percentage(label="Share in per cent")
