"""One machine's ledger: what its counters say beside the presses that are stored, and what is said of the rest."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ledger.epochs.models import Epoch
from ledger.epochs.queries import Page, Scope, ledger
from ledger.lines.models import Kind, Line, Settlement
from ledger.lines.services import settle
from ozone.webapi.heavy import heavy, person_of, places
from ozone.wire.errors import NotFound
from pages.kit.actions import action, sent
from pages.kit.frame import signed_in_page, staff_page
from pages.kit.live import Screen, live_page, part, rows, screen
from telemetry.models import Machine
from telemetry.visible import find, visible_machines

FOLLOWS: Final = ("people", "events", "commands", "minute")
EPOCHS: Final = 100
LINES: Final = 200


class EpochRow(NamedTuple):
    treatment: str
    cause: str
    by: str
    device_id: str
    since: datetime
    until: datetime | None
    base: int
    last: int
    difference: int
    presses: int
    unexplained: int


class LineRow(NamedTuple):
    number: int
    machine: int
    at: datetime
    treatment: str
    kind: str
    numbers: str
    presses: int
    settled: str
    note: str
    may_settle: bool


class SettleForm(forms.Form):
    reason = forms.ChoiceField(label="What became of it", choices=Settlement.Reason.choices)
    count = forms.IntegerField(
        label="How many were sold",
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="Of those counted by hand.",
    )
    note = forms.CharField(label="Note", required=False, max_length=500)


@heavy
@signed_in_page
@require_safe
def machine_ledger(request: HttpRequest, number: str) -> HttpResponse:
    return live_page(request, "pages/machines/ledger.html", FOLLOWS, lambda: _screen(request.user, int(number)))


def _machine(actor: Any, number: int) -> Machine:
    return find(visible_machines(actor, archived=actor.is_staff), number, code="unknown_machine")


def _screen(actor: Any, number: int) -> Screen:
    machine = _machine(actor, number)
    with places.one(person_of(actor)):
        found = next(ledger(Scope(actor, machine), before=None, limit=EPOCHS))
    lines = sorted(
        (line for _, some in found.epochs for line in some),
        key=lambda line: (line.settlement_id is None, line.at, line.pk),
        reverse=True,
    )
    kinds = {line.kind for line in lines[:LINES]}
    return screen(
        lists={
            "epochs": rows("pages/machines/epoch_row.html", _epochs(found)),
            "lines": rows("pages/machines/line_row.html", _lines(lines[:LINES], machine, may_settle=actor.is_staff)),
        },
        parts=[
            part(
                "more",
                "pages/machines/ledger_more.html",
                {
                    "machine": machine,
                    "is_pending": found.devices_pending,
                    "is_cut": found.next is not None or len(lines) > LINES,
                    "epochs": EPOCHS,
                    "lines": LINES,
                },
            ),
            part("kinds", "pages/machines/ledger_kinds.html", {"kinds": [kind for kind in Kind if kind in kinds]}),
        ],
        name=machine.name,
        number=machine.pk,
    )


def _epochs(found: Page) -> Iterator[tuple[int, EpochRow]]:
    for epoch, lines in found.epochs:
        yield (
            epoch.pk,
            EpochRow(
                epoch.treatment.lower(),
                "a swap" if epoch.cause == Epoch.Cause.SWAP else epoch.get_cause_display(),
                found.ordered_by.get(epoch.pk, ""),
                epoch.device.device_id or "",
                epoch.started_at,
                epoch.ended_at,
                epoch.base,
                epoch.last,
                epoch.difference,
                epoch.presses,
                sum(line.count for line in lines if line.settlement_id is None),
            ),
        )


def _lines(lines: list[Line], machine: Machine, *, may_settle: bool) -> Iterator[tuple[int, LineRow]]:
    for line in lines:
        said = line.settlement
        yield (
            line.pk,
            LineRow(
                line.pk,
                machine.pk,
                line.at,
                line.treatment.lower(),
                line.kind,
                line.numbers,
                line.count,
                _words(said) if said else "",
                said.note if said else "",
                may_settle,
            ),
        )


def _words(said: Settlement) -> str:
    count = "" if said.count is None else f": {said.count:,}"
    by = f", {said.made_by.get_username()}" if said.made_by else ""
    return f"{said.get_reason_display()}{count}{by}"


@staff_page
@require_http_methods(["GET", "HEAD", "POST"])
def settle_line(request: HttpRequest, number: str, line: str) -> HttpResponse:
    machine = _machine(request.user, int(number))
    found = Line.objects.filter(pk=line, epoch__machine=machine).first() if len(line) < 19 else None
    if found is None:
        raise NotFound("There is no such line. A press that came late may have ended it.", code="unknown_line")

    def perform(values: dict[str, Any]) -> str:
        settle(line=int(line), actor=request.user, now=timezone.now(), **values)
        return f"{found.treatment} {found.numbers} is settled."

    return action(
        request,
        SettleForm(sent(request)),
        perform,
        title=f"Settle {found.kind} {found.numbers}?",
        lead=f"{found.treatment.capitalize()}, {found.count:,} {'press' if found.count == 1 else 'presses'}:"
        f" {Kind(found.kind).label}. What is said here is kept for good; a newer word takes its place.",
        back=reverse("machine-ledger", args=[machine.pk]),
        button="Settle",
    )
