"""Forms that narrow a list: what people choose stands in its address, and one template shows them all."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

ANY: Final = ("", "Any")


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


class Chosen(forms.ChoiceField):
    """One of a few, or what is `usual`. `valid_value` alone says what an address may ask for."""

    def __init__(
        self, choices: Iterable[tuple[str, str]], label: str | None = None, *, usual: tuple[str, str] = ANY
    ) -> None:
        super().__init__(choices=[usual, *choices], label=label, required=False)


class RowSelect(forms.Select):
    """A widget that writes its options itself: Django's own renders three templates for each of thousands."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        chosen = self.format_value(value)
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((key, SafeString(" selected") if str(key) in chosen else "", label) for key, label in self.choices),
        )
        told = self.build_attrs(self.attrs, {"name": name, **(attrs or {})})
        return format_html("<select{}>\n{}\n</select>", flatatt(told), options)


class ChosenRow(Chosen):
    """A row by its number. The form that is shown says which there are: an address is read without asking for them."""

    widget = RowSelect

    def valid_value(self, value: Any) -> bool:
        return is_number(value)


def search(placeholder: str) -> forms.CharField:
    attributes = {"placeholder": placeholder, "autocomplete": "off"}
    return forms.CharField(label="Search", required=False, widget=forms.TextInput({"type": "search", **attributes}))


class Filters(forms.Form):
    """Of a list; `q`, where it has one, is what people search for."""

    def __init__(self, chosen: dict[str, str], words: str) -> None:
        super().__init__(initial={**chosen, "q": words}, auto_id="%s")

    @classmethod
    def chosen_in(cls, query: QueryDict) -> dict[str, str]:
        """What the address chooses, as far as it may be chosen. Read from the class: every look at a page does."""
        return {
            name: value
            for name, field in cls.base_fields.items()
            if isinstance(field, Chosen) and (value := query.get(name, "")) and field.valid_value(value)
        }
