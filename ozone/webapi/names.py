"""What people may call things: one rule for JSON, for forms and for the admin site."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.fields import empty

from ozone.webapi.fields import Text
from ozone.wire.words import UNSEEN, is_blank


class Name(Text):
    """A JSON string in which something can be seen. Nothing at all (`""`) is another matter: `allow_blank`."""

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, str) and data and is_blank(data):
            raise serializers.ValidationError(UNSEEN)
        return super().run_validation(data)


class NameField(forms.CharField):
    """The same on a form."""

    def clean(self, value: Any) -> Any:
        if value and is_blank(str(value)):
            raise ValidationError(UNSEEN)
        return super().clean(value)


class NamesThings:
    """Before ModelAdmin: its rows' `name` is a NameField."""

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "name":
            kwargs["form_class"] = NameField
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
