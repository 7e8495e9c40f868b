"""Statements: staff's."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.statements import queries, services
from ledger.statements.months import Month
from ledger.statements.serializers import StatementDocument, StatementReply
from ozone.accounts.permissions import Staff
from ozone.webapi.parameters import BIGGEST, Bom, Parameter, QueryString, Whole
from ozone.webapi.serializers import Problem
from ozone.webapi.sheets import CSV, file
from ozone.webapi.view import ApiView, PlainJsonRenderer

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class MonthParameter(Parameter[Month | None]):
    def parse(self, text: str, asked: Any) -> Month | None:
        month = Month.read(text)
        if month is None:
            raise self.refusal("A month as YYYY-MM, of the years 2000 to 2199.")
        return month


class StatementsQuery(QueryString):
    outlet_id = Whole(1, BIGGEST)
    month = MonthParameter("YYYY-MM: closed ones and drafts. Without it closed ones alone, the newest first")


class SheetQuery(QueryString):
    bom = Bom()


class Statements(ApiView):
    """What is billed, by outlet and month."""

    permission_classes = (Staff,)
    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="statements_list",
        parameters=StatementsQuery.parameters,
        responses={200: StatementReply(many=True), **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """Those of a month, or the last 200 closed ones."""
        asked = StatementsQuery.read(request.query_params)
        if asked.month is None:
            found = queries.latest_closed(asked.outlet_id)
        else:
            outlets = queries.outlets_of(asked.month)
            wanted = outlets if asked.outlet_id is None else outlets.filter(pk=asked.outlet_id)
            found = queries.of_month(wanted, asked.month, timezone.now())
        return Response([StatementReply.of(told) for told in found])


class OneStatement(ApiView):
    """What a statement says."""

    permission_classes = (Staff,)
    is_heavy = True

    @extend_schema(operation_id="statement_read", responses={200: StatementDocument, **PROBLEMS}, tags=["money"])
    def get(self, request: Request, statement: str) -> HttpResponse:
        """Of a closed one the bytes that were kept when it was closed."""
        return HttpResponse(
            queries.find_statement(statement, actor=request.user, now=timezone.now()).document, "application/json"
        )


class StatementSheet(ApiView):
    """The same as CSV."""

    permission_classes = (Staff,)
    is_heavy = True

    @extend_schema(
        operation_id="statement_export",
        parameters=SheetQuery.parameters,
        responses={**CSV, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request, statement: str) -> HttpResponse:
        """Of a closed one the bytes that were kept; with `bom` these three before them."""
        asked = SheetQuery.read(request.query_params)
        told = queries.find_statement(statement, actor=request.user, now=timezone.now())
        return file(f"statement-{statement}.csv", told.sheet, bom=asked.bom)


class CloseStatement(ApiView):
    """Gives a draft its number, and keeps what it says for good."""

    permission_classes = (Staff,)
    is_heavy = True

    @extend_schema(
        operation_id="statement_close",
        request=None,
        responses={200: StatementReply, **PROBLEMS, 409: Problem},
        tags=["money"],
    )
    def post(self, request: Request, statement: str) -> Response:
        outlet, month = queries.named(statement)
        now = timezone.now()
        services.close(outlet=outlet, month=month, actor=request.user, now=now)
        return Response(StatementReply.of(queries.find_statement(statement, actor=request.user, now=now)))
