"""Deleting all telemetry."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.accounts.permissions import Superuser
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from telemetry.events.flushing import flush


class FlushReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["flushed"])
    deleted = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by table")
    backup = serializers.CharField(allow_null=True, help_text="A file beside the database, on SQLite")


class Flush(ApiView):
    """Deletes events, readings, statuses and statistics; keeps devices, outlets, machines, users. Not atomic."""

    permission_classes = (Superuser,)
    session_only = True

    @extend_schema(
        operation_id="flush",
        request=None,
        auth=[{"session": []}],  # type: ignore[list-item]
        responses={200: FlushReply, 401: Problem, 403: Problem, 429: Problem, 503: Problem},
        tags=["events"],
    )
    def post(self, request: Request) -> Response:
        flushed = flush(actor=request.user, now=timezone.now())
        return Response({"status": "flushed", **flushed._asdict()})
