"""Section 3 where the project has it, the two pages one signs in on, and a view for every choice ApiView offers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.db import OperationalError
from django.http import Http404
from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.accounts.authentication import AccessTokenAuthentication, SessionAuthentication
from ozone.accounts.forms import SignInForm, sign_in_page
from ozone.accounts.permissions import Staff, StaffWrites, Superuser
from ozone.webapi.view import ApiView


class Whoami(ApiView):
    def get(self, request: Request) -> Response:
        return Response({"caller": str(request.user)})

    def post(self, request: Request) -> Response:
        return Response({"caller": str(request.user), "body": request.data})


class StaffView(Whoami):
    permission_classes = (Staff,)


class StaffWritesView(Whoami):
    permission_classes = (StaffWrites,)


class FlushView(Whoami):
    permission_classes = (Superuser,)
    session_only = True


class StationsView(Whoami):
    allow_station_connector = True


class LocalView(Whoami):
    permission_classes = (Staff,)
    allow_local_operator = True


class Meter:
    is_authenticated = True

    def __str__(self) -> str:
        return "a meter"


class MeterKey(AccessTokenAuthentication):
    def authenticate_bearer(self, request: Request, token: str) -> Any:
        return Meter() if token == "meter-key" else super().authenticate_bearer(request, token)


class MeterView(Whoami):
    authentication_classes = (MeterKey, SessionAuthentication)


class Slot(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["FULL", "EMPTY"])


class Station(serializers.Serializer[Any]):
    slots = Slot(many=True)
    numbers = serializers.ListField(child=serializers.IntegerField())

    def validate(self, attrs: Any) -> Any:
        raise serializers.ValidationError("A station needs a name.")


class FailingView(ApiView):
    def post(self, request: Request, kind: str) -> Response:
        if kind == "fields":
            Station(data=request.data).is_valid(raise_exception=True)
        raise {"database": OperationalError, "missing": Http404, "bug": ZeroDivisionError}[kind]("secret words")


urlpatterns = [
    path("api/", include("ozone.webapi.urls")),
    path("admin/login/", sign_in_page(admin.site.login)),
    path("admin/", admin.site.urls),
    path("login/", sign_in_page(LoginView.as_view(form_class=SignInForm, template_name="admin/login.html"))),
    path("api/any", Whoami.as_view()),
    path("api/staff", StaffView.as_view()),
    path("api/staff-writes", StaffWritesView.as_view()),
    path("api/flush", FlushView.as_view()),
    path("api/stations", StationsView.as_view()),
    path("api/local", LocalView.as_view()),
    path("api/meter", MeterView.as_view()),
    path("api/failing/<kind>", FailingView.as_view()),
]
