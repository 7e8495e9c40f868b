"""Thresholds: what is set, and what holds for a device."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.conditions.models import Rule
from alerts.conditions.silence import threshold_of
from alerts.conditions.table import CONDITIONS
from alerts.rules.services import drop_rule, set_rule, visible_rules
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff, StaffWrites
from ozone.webapi.fields import Flag, Number, Text, WholeNumber
from ozone.webapi.parameters import Needed, QueryString
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from telemetry.visible import find, visible_outlets

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}


class RuleRequest(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=list(CONDITIONS))
    device_id = Text(required=False, allow_null=True, default=None, max_length=63, help_text="Of this device")
    outlet = WholeNumber(required=False, allow_null=True, default=None, min_value=1, help_text="Of this outlet")
    field = Text(required=False, allow_blank=True, default="", max_length=64, help_text="Of the kind reading: which")
    is_on = Flag(required=False, default=True, help_text="false: nobody is told of it there")
    seconds = WholeNumber(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    number = WholeNumber(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    low = Number(required=False, allow_null=True, default=None)
    high = Number(required=False, allow_null=True, default=None)


class RuleReply(RuleRequest):
    id = serializers.IntegerField()

    @classmethod
    def of(cls, rule: Rule) -> dict[str, Any]:
        plain = ("id", "kind", "field", "is_on", "seconds", "number", "low", "high")
        return {
            **{name: getattr(rule, name) for name in plain},
            "device_id": rule.device.device_id if rule.device else None,
            "outlet": rule.outlet_id,
        }


class ThresholdReply(serializers.Serializer[Any]):
    device_id = serializers.CharField()
    after_seconds = serializers.IntegerField(allow_null=True, help_text="null: nobody is told of its silence")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute of that name
        choices=["device", "outlet", "all", "learnt", "default"]
    )
    usual_seconds = serializers.IntegerField(allow_null=True, help_text="Its longest silence on a usual day")


class ThresholdQuery(QueryString):
    device_id = Needed("Whose?", "Any name of a device")


RULE = Resource(RuleRequest)


class RulesOfAll(ApiView):
    """Thresholds that people have set."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="alert_rules_list", responses={200: RuleReply(many=True), **PROBLEMS}, tags=["alerts"])
    def get(self, request: Request) -> Response:
        """Those of all, and of what the caller may see. The nearest holds: the device's, the outlet's, that of all."""
        return Response([RuleReply.of(rule) for rule in visible_rules(request.user)])

    @extend_schema(
        operation_id="alert_rule_set",
        request=RuleRequest,
        responses={200: RuleReply, 403: Problem, **PROBLEMS},
        tags=["alerts"],
    )
    def post(self, request: Request) -> Response:
        """Sets one; what was set there before is replaced."""
        wanted = RULE.wanted(request.data, partial=False)
        name, outlet = wanted.pop("device_id"), wanted.pop("outlet")
        rule = set_rule(
            **wanted,
            device=None if name is None else find_device(visible_devices(request.user), name),
            outlet=None if outlet is None else find(visible_outlets(request.user), outlet, code="unknown_outlet"),
            now=timezone.now(),
        )
        return Response(RuleReply.of(rule))


class OneRule(ApiView):
    """One threshold."""

    permission_classes = (Staff,)

    @extend_schema(operation_id="alert_rule_delete", responses={204: None, 403: Problem, **PROBLEMS}, tags=["alerts"])
    def delete(self, request: Request, number: str) -> Response:
        """What holds farther off holds there again."""
        drop_rule(rule=find(visible_rules(request.user), int(number), code="unknown_rule"), now=timezone.now())
        return Response(status=204)


class ThresholdOfDevice(ApiView):
    """After what silence of a device somebody is told."""

    @extend_schema(
        operation_id="alert_threshold",
        parameters=ThresholdQuery.parameters,
        responses={200: ThresholdReply, **PROBLEMS},
        tags=["alerts"],
    )
    def get(self, request: Request) -> Response:
        """What was learnt of it is shown before it is used."""
        asked = ThresholdQuery.read(request.query_params)
        device = find_device(visible_devices(request.user), asked.device_id)
        found, usual = threshold_of(device.pk, timezone.now())
        return Response(
            {
                "device_id": device.device_id,
                "after_seconds": None if found.after is None else int(found.after.total_seconds()),
                "source": found.source,
                "usual_seconds": None if usual is None else int(usual.total_seconds()),
            }
        )
