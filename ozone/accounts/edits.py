"""Two people with the same form of the admin site open: what one has not touched stays as the other has made it, and
nobody writes over another's change unseen. People's own pages have the same rule (`pages.kit.actions.Edit`)."""

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db.models import Manager
from django.http import HttpRequest

CHANGED_MEANWHILE: Final = "Changed meanwhile: {} is stored now. Send the form again to put yours in its place."


def plain(text: Any) -> Any:
    """Browsers send every line's end as CRLF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else text


def in_words(value: Any) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"“{words}”" if words else "nothing"


class KeepsOthers(forms.ModelForm):
    """A form of a stored row whose fields bring along what they showed, hidden, as `initial-<name>`.

    One that tells nothing of that, as a script sends it, stores all its fields.
    """

    data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_told = any(name.startswith("initial-") for name in self.data)
        self._kept = [name for name in self.initial if name in self.fields and not self.fields[name].disabled]
        for name in self._kept:
            self.fields[name].show_hidden_initial = self._is_told or not self.is_bound
        if self._is_told:
            self.data = self.data.copy()
            for name in self._kept:
                # Of a day and a time Django asks for this name before it shows again what they were.
                if hasattr(self.fields[name].hidden_widget(), "widgets_names"):
                    self.data.setdefault(self[name].html_initial_name, "")

    def clean(self) -> dict[str, Any]:
        super().clean()
        others = []
        for name in self._kept if self._is_told else ():
            if name not in self.changed_data:
                self.cleaned_data[name] = self._stored(name)
            elif self._is_others(name):
                others.append(name)
        for name in others:
            self._show_what_is_stored(name)
            self.add_error(name, CHANGED_MEANWHILE.format(in_words(self._stored(name))))
        return self.cleaned_data

    def _stored(self, name: str) -> Any:
        """Until the form is clean the row is as it was read."""
        value = getattr(self.instance, name)
        return list(value.all()) if isinstance(value, Manager) else value

    def _is_others(self, name: str) -> bool:
        """Whether what is stored is neither what the form showed nor what its person has written."""
        field, bound = self.fields[name], self[name]
        shown = field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        now = plain(bound.initial)
        return field.has_changed(now, plain(shown)) and field.has_changed(now, plain(bound.data))

    def _show_what_is_stored(self, name: str) -> None:
        """The form that comes back has seen it."""
        field, bound = self.fields[name], self[name]
        hidden: Any = field.hidden_widget()
        value = field.prepare_value(bound.initial)
        if hasattr(hidden, "widgets_names"):
            for suffix, part in zip(hidden.widgets_names, hidden.decompress(value), strict=True):
                self.data[bound.html_initial_name + suffix] = "" if part is None else str(part)
        elif isinstance(hidden, forms.MultipleHiddenInput):
            self.data.setlist(bound.html_initial_name, [str(one) for one in value or ()])
        else:
            self.data[bound.html_initial_name] = hidden.format_value(value) or ""


class EditAdmin(admin.ModelAdmin):
    """An admin whose forms keep what others have changed meanwhile."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return form if obj is None else type(form.__name__, (KeepsOthers, form), {})
