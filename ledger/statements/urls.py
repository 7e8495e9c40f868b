"""Statements."""

from typing import Final

from django.urls import re_path

from ledger.statements import views

STATEMENT: Final = r"(?P<statement>[0-9]{1,18}-[0-9]{4}-[0-9]{2})"

urlpatterns = [
    re_path(r"^statements/?$", views.Statements.as_view(), name="statements"),
    re_path(rf"^statements/{STATEMENT}/?$", views.OneStatement.as_view(), name="statement"),
    re_path(rf"^statements/{STATEMENT}/export\.csv/?$", views.StatementSheet.as_view(), name="statement-export"),
    re_path(rf"^statements/{STATEMENT}/close/?$", views.CloseStatement.as_view(), name="statement-close"),
]
