"""Thresholds: what each condition goes by, and where it goes by something else. All of it is staff's."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from alerts.conditions.models import Rule
from alerts.conditions.table import CONDITIONS
from alerts.rules import services
from ozone.wire.words import duration
from pages.incidents.forms import RuleForm
from pages.incidents.subjects import device_of, outlet_of
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.kit.live import Screen, live_page, rows, screen
from telemetry.visible import find

FOLLOWS: Final = ("people",)
SHOWN: Final = 500
_METHODS: Final = ["GET", "HEAD", "POST"]


class ConditionRow(NamedTuple):
    kind: str
    label: str
    advice: str


class RuleRow(NamedTuple):
    pk: int
    label: str
    place: str
    says: str


@staff_page
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    return live_page(request, "pages/incidents/rules.html", FOLLOWS, _screen)


def _screen() -> Screen:
    conditions = ((one.kind, ConditionRow(one.kind, one.label, one.advice)) for one in CONDITIONS.values())
    return screen(
        lists={
            "rules": rows("pages/incidents/rule_row.html", _rule_rows()),
            "conditions": rows("pages/incidents/condition_row.html", conditions),
        }
    )


def _rule_rows() -> Iterator[tuple[int, RuleRow]]:
    for rule in Rule.objects.select_related("device", "outlet").order_by("kind", "id")[:SHOWN]:
        condition = CONDITIONS.get(rule.kind)
        place = str(rule.device or rule.outlet or "Everywhere")
        yield rule.pk, RuleRow(rule.pk, condition.label if condition else rule.kind, place, says(rule))


def says(rule: Rule) -> str:
    """What it changes, in words."""
    if not rule.is_on:
        return "nobody is told"
    said = [rule.field] if rule.field else []
    if rule.seconds is not None:
        said.append(f"after {duration(rule.seconds)}")
    if rule.number is not None:
        said.append(f"from {rule.number:,} on")
    if rule.low is not None:
        said.append(f"under {rule.low:g}")
    if rule.high is not None:
        said.append(f"over {rule.high:g}")
    return ", ".join(said) or "as usual"


@staff_page
@require_http_methods(_METHODS)
def set_rule(request: HttpRequest) -> HttpResponse:
    device, outlet = device_of(request), outlet_of(request)

    def perform(data: dict[str, Any]) -> str:
        minutes = data["minutes"]
        rule = services.set_rule(
            kind=data["kind"], field=data["field"], device=device, outlet=data.get("outlet"),
            is_on=data["is_on"] == "yes", seconds=None if minutes is None else 60 * minutes,
            number=data["number"], low=data["low"], high=data["high"], now=timezone.now(),
        )  # fmt: skip
        return f"{CONDITIONS[rule.kind].label}: {says(rule)}."

    return action(
        request,
        RuleForm(device, outlet, sent(request)),
        perform,
        title=f"Threshold of {device}" if device else "Set a threshold",
        lead="The nearest one holds: the device’s, else its outlet’s, else that of all. One of the same place and kind"
        " is replaced.",
        back=reverse("rules"),
        button="Set it",
    )


@staff_page
@require_http_methods(_METHODS)
def remove(request: HttpRequest, number: str) -> HttpResponse:
    rule = find(Rule.objects.select_related("device", "outlet"), int(number), code="unknown_rule")
    place = rule.device or rule.outlet or "everywhere"

    def perform(_: dict[str, Any]) -> str:
        services.drop_rule(rule=rule, now=timezone.now())
        return "What is wider holds there again."

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title="Remove this threshold?",
        lead=f"{CONDITIONS[rule.kind].label if rule.kind in CONDITIONS else rule.kind}, {place}: {says(rule)}.",
        back=reverse("rules"),
        button="Remove it",
    )
