"""Fields of the JSON that people write: a value of another type is refused, never turned into one."""

import math
from typing import Any

from rest_framework import serializers

from ozone.wire.errors import Invalid
from ozone.wire.jsonio import check_object


class WholeNumber(serializers.IntegerField):
    """A JSON integer; `"5"`, `5.0` and `true` are something else."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise serializers.ValidationError("Must be a whole number.")
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    """A JSON number that is finite; `"5"` and `true` are something else."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float) or not math.isfinite(data):
            raise serializers.ValidationError("Must be a number.")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are not silently turned into one. Of one that is too long no more is looked
    at than says so: DRF goes through every character of it in Python."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        text = super().to_internal_value(data)
        return text if self.max_length is None else text[: self.max_length + 1]


class Flag(serializers.BooleanField):
    """A JSON true or false; `"no"` and `0` are something else."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            raise serializers.ValidationError("Must be true or false.")
        return data


class Items(serializers.ListField):
    """A JSON array of at most `max_length` items; of one that is longer none is looked at."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class FreeObject(serializers.DictField):
    """Any JSON object within 4 KiB."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return check_object(data, self.field_name or "object")
        except Invalid as error:
            raise serializers.ValidationError(next(iter((error.errors or {}).values()))) from None
