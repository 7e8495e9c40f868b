"""What people do: a small page with a form, which scripts show as a dialog. It leads back to where one came from."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from ozone.accounts.edits import CHANGED_MEANWHILE, in_words, plain
from ozone.wire.errors import ApiError, Conflict, Invalid
from pages.kit.frame import refused
from pages.kit.once import FIELD

NEXT = "next"
_DJANGOS: Final = "csrfmiddlewaretoken"
"""Scripts of any Django site send it, though no form of ours needs it."""
_SHOWN: Final = 64
"""Characters of a name that is none of ours."""
_UNSEEN: Final = "\ufdd0"
"""In the place of what a form showed, where that is not told: no text that anybody stores."""


class Confirmation(forms.Form):
    """Nothing to fill in: the page's words are the question. `seen`: what they speak of. Where that is another thing
    meanwhile, the question is asked anew."""

    data: Any
    seen = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, seen: str = "") -> None:
        super().__init__(data, initial={"seen": seen})
        self._now = seen

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.pop("seen", self._now) != self._now and "seen" in self.data:
            self.data = self.data.copy()
            self.data["seen"] = self._now
            raise ValidationError("This was changed meanwhile. Read once more what is said here, and send it again.")
        return self.cleaned_data


class Edit(forms.Form):
    """A form for what is stored. Each field brings along what it showed, in a hidden `initial-<name>`: only what its
    person has changed is stored, and nothing over what somebody else has changed meanwhile.

    What is not sent stays as it is. Whoever sends one field alone, as a script does, means it; of several without what
    they showed those count as seen that are empty.
    """

    data: Any

    def __init__(self, stored: Mapping[str, Any], data: Any = None, **fields: forms.Field) -> None:
        """`stored` by field, as the fields' initial values; `fields` are added to those of the class."""
        super().__init__(data, initial=dict(stored))
        self.fields.update(fields)
        for name in stored:
            self.fields[name].show_hidden_initial = True

    def full_clean(self) -> None:
        if self.is_bound:
            self.data = self._brought_up_to_date()
        super().full_clean()

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be stored, by field."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.initial}

    def save(self, read: Callable[[], Mapping[str, Any]], write: Callable[[dict[str, Any]], str]) -> str:
        """Stores the changes, and says so in the words of `write`.

        `read` gives what is stored, its row locked: until `write` is through nobody else changes it. Raises Conflict
        by field where others have changed the same.
        """
        with transaction.atomic():
            self._check(read())
            return write(self.changes) if self.changes else "Nothing was changed."

    def _brought_up_to_date(self) -> Any:
        """What was sent; in the fields that its person left alone, what is stored now."""
        data = self.data.copy()
        told = [name for name in self.initial if name in data]
        for name in self.initial:
            now = self._text(name, self.initial[name])
            shown = data.get(f"initial-{name}")
            if name in told and shown is None:
                shown = data[f"initial-{name}"] = _UNSEEN if now and plain(data[name]) != now else now
            if name not in told or plain(data[name]) == plain(shown):
                data[name] = data[f"initial-{name}"] = now
        self.is_told = bool(told)
        self._is_meant = len(told) == 1 and data[f"initial-{told[0]}"] == _UNSEEN
        return data

    def _check(self, stored: Mapping[str, Any]) -> None:
        changed = self.changes
        now = {name: self._text(name, value) for name, value in stored.items()}
        seen = {name: {plain(self.data[f"initial-{name}"]), plain(self.data[name])} for name in changed}
        others = [name for name in changed if now[name] not in seen[name]]
        if self._is_meant or not others:
            return
        # The form that comes back shows what is stored now, and its person's words; a question is asked anew.
        self.data = self.data.copy()
        for name in self.fields.keys() - now.keys():
            self.data.pop(name, None)
        for name, text in now.items():
            self.data[f"initial-{name}"] = text
            self.data[name] = self.data[name] if name in changed else text
        errors = {name: [CHANGED_MEANWHILE.format(in_words(self._shown(name, stored[name])))] for name in others}
        raise Conflict("Somebody has changed this meanwhile.", errors=errors)

    def _shown(self, name: str, value: Any) -> Any:
        """As a person reads it: a choice by its words."""
        field: Any = self.fields[name]
        if isinstance(field, forms.ModelChoiceField) or not hasattr(field, "choices"):
            return value
        return dict(field.choices).get(value, value)

    def _text(self, name: str, value: Any) -> str:
        """What the hidden field says of a value."""
        field = self.fields[name]
        return plain(field.hidden_widget().format_value(field.prepare_value(value)) or "")


def action(
    request: HttpRequest,
    form: forms.Form,
    perform: Callable[[dict[str, Any]], str],
    *,
    title: str,
    back: str,
    button: str,
    lead: str = "",
    danger: bool = False,
    is_strict: bool = False,
    template: str = "pages/kit/action.html",
    **context: Any,
) -> HttpResponse:
    """Shows the form; sent and valid, calls `perform` with its values, says what that returned, if anything, and
    goes back.

    What `perform` raises as an ApiError is said on the form, field by field where it names them, under its status.
    `back`: the path to return to unless the form names another of ours. `is_strict`: scripts have this address, and
    what is sent that is no field of the form raises Invalid.
    """
    failure = None
    if request.method == "POST" and is_strict:
        _refuse_unknown(request.POST, form)
    if request.method == "POST" and form.is_valid():
        try:
            said = perform(form.cleaned_data)
        except ApiError as error:
            failure = error
            for field, sentences in (error.errors or {"": [error.detail]}).items():
                place = field if field in form.fields else None
                words = f"{field}: " if field and place is None else ""
                form.add_error(place, [f"{words}{sentence}" for sentence in sentences])
        else:
            if said:
                messages.success(request, said)
            return redirect(way_back(request, back))
    shown = {"form": form, "title": title, "lead": lead, "button": button, "danger": danger, **context}
    shown["back"] = way_back(request, back)
    return refused(render(request, template, shown), failure)


def _refuse_unknown(data: QueryDict, form: forms.Form) -> None:
    """By name: a script's misspelt field would be passed over, and the rest done."""
    own = {NEXT, FIELD, *form.fields, *(f"initial-{name}" for name in form.fields)}
    unknown = sorted(name[:_SHOWN] for name in data.keys() - own - {_DJANGOS})
    if unknown:
        visible = ", ".join(field.name for field in form.visible_fields()) or "none"
        detail = f"Not a field here: {', '.join(unknown)}. Nothing was done. The fields are: {visible}."
        raise Invalid(detail, errors={name: ["Not a field here."] for name in unknown})


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: whatever was sent, be it nothing; None where the form is only shown."""
    return request.POST if request.method == "POST" else None


def way_back(request: HttpRequest, usual: str) -> str:
    """Where the person came from, if that is a page of ours; else `usual`."""
    told = request.POST.get(NEXT) or request.GET.get(NEXT) or ""
    return told if told.startswith("/") and url_has_allowed_host_and_scheme(told, None) else usual
