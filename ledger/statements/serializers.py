"""The JSON of statements, described."""

from typing import Any

from rest_framework import serializers

from ledger.lines.models import Kind
from ledger.statements.queries import Told
from telemetry.treatments import TREATMENTS


class SumsReply(serializers.Serializer[Any]):
    presses = serializers.IntegerField()
    revenue = serializers.CharField()
    share = serializers.CharField(help_text="The outlet's")
    remainder = serializers.CharField(help_text="Revenue without the share")


class TotalsReply(serializers.Serializer[Any]):
    month = SumsReply()
    corrections = SumsReply()
    statement = SumsReply(help_text="Both together")


class OutletName(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class UnexplainedReply(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Kind.values)
    presses = serializers.IntegerField()


class StatementReply(serializers.Serializer[Any]):
    """A statement in a list."""

    id = serializers.CharField(help_text="`<outlet>-<month>`")
    status = serializers.ChoiceField(choices=["draft", "closed"])
    number = serializers.IntegerField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(allow_null=True)
    month = serializers.CharField()
    is_over = serializers.BooleanField()
    currency = serializers.CharField()
    outlet = OutletName()
    unexplained = UnexplainedReply(many=True, help_text="Lines of the ledger that nobody has settled")
    unpriced = serializers.IntegerField(help_text="Presses without a price: it cannot be closed with any")
    totals = TotalsReply()
    json_sha256 = serializers.CharField(allow_null=True)
    csv_sha256 = serializers.CharField(allow_null=True)

    @classmethod
    def of(cls, told: Told) -> dict[str, Any]:
        outlet = {name: told.said["outlet"][name] for name in ("id", "name")}
        shown = {**told.said, "outlet": outlet, "json_sha256": told.json_sha256, "csv_sha256": told.csv_sha256}
        return {name: shown[name] for name in cls._declared_fields}


class DaysReply(serializers.Serializer[Any]):
    until = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}


class _Money(serializers.Serializer[Any]):
    treatment = serializers.ChoiceField(choices=TREATMENTS)
    presses = serializers.IntegerField()
    price = serializers.CharField(allow_null=True)
    revenue = serializers.CharField()
    share_percent = serializers.CharField()
    share = serializers.CharField()


class StatementLineReply(_Money):
    days = DaysReply(many=True)
    settled = serializers.IntegerField(help_text="Presses more, or fewer, by what people have said of lines")


class CorrectionReply(_Money):
    month = serializers.CharField()


class StatementOutlet(OutletName):
    region = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)
    contact_person = serializers.CharField(allow_blank=True)


class StatementDocument(serializers.Serializer[Any]):
    """What a statement says. Of a closed one these bytes never change."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=["draft", "closed"])
    number = serializers.IntegerField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(allow_null=True)
    month = serializers.CharField()
    is_over = serializers.BooleanField()
    time_zone = serializers.CharField()
    currency = serializers.CharField()
    outlet = StatementOutlet()
    lines = StatementLineReply(many=True)
    corrections = CorrectionReply(many=True, help_text="What earlier statements have told too little or too much")
    unexplained = UnexplainedReply(many=True)
    unpriced = serializers.IntegerField()
    totals = TotalsReply()
