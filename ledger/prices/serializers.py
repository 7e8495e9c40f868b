"""The JSON of prices and shares: money and percentages are decimal text."""

from datetime import date
from typing import Any

from rest_framework import serializers

from ledger.prices.money import percent_text, read, read_percent, text_or_none
from ozone.webapi.fields import Text, WholeNumber
from ozone.webapi.replies import Made, RowReply
from ozone.wire.conf import options
from telemetry.models import Outlet, Treatment


def existing_outlet(**more: Any) -> serializers.PrimaryKeyRelatedField[Outlet]:
    return serializers.PrimaryKeyRelatedField(
        pk_field=WholeNumber(), queryset=Outlet.objects.filter(archived_at=None), **more
    )


class Money(Text):
    """An amount of CURRENCY as decimal text; within, whole numbers of the smallest unit."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return read(super().to_internal_value(data), options().CURRENCY)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class Percent(Text):
    """A percentage as decimal text; within, hundredths of a percent."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return read_percent(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class Day(serializers.DateField):
    """A local day of STATS_TIME_ZONE as `YYYY-MM-DD`."""

    def to_internal_value(self, value: Any) -> date:
        day: date | None = super().to_internal_value(value) if isinstance(value, str) else None
        if day is None or not 2000 <= day.year < 2200:
            raise serializers.ValidationError("A day as YYYY-MM-DD, in the years 2000 to 2199.")
        return day


class PriceRequest(serializers.Serializer[Any]):
    outlet = existing_outlet(allow_null=True, help_text="null: everywhere else")
    treatment = serializers.ChoiceField(choices=Treatment.choices)
    price = Money(allow_null=True, help_text="null: from then on there is none of its own")
    valid_from = Day()


class PriceReply(RowReply):
    made = {"price": Made(lambda _, amount, currency: text_or_none(amount, currency), "amount", "currency")}

    id = serializers.IntegerField()
    outlet = serializers.IntegerField(source="outlet_id", allow_null=True, help_text="null: everywhere else")
    treatment = serializers.ChoiceField(choices=Treatment.choices)
    price = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    valid_from = serializers.DateField()
    set_at = serializers.DateTimeField()
    set_by = serializers.CharField(source="set_by__username", allow_null=True)


class ShareRequest(serializers.Serializer[Any]):
    outlet = existing_outlet()
    percent = Percent()
    valid_from = Day()


class ShareReply(RowReply):
    made = {"percent": Made(lambda _, hundredths: percent_text(hundredths), "hundredths")}

    id = serializers.IntegerField()
    outlet = serializers.IntegerField(source="outlet_id")
    percent = serializers.CharField()
    valid_from = serializers.DateField()
    set_at = serializers.DateTimeField()
    set_by = serializers.CharField(source="set_by__username", allow_null=True)
