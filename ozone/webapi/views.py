"""The endpoints of section 3: sessions, registration, access tokens."""

from typing import Any

from django.contrib.auth import login, logout
from django.contrib.auth.models import AnonymousUser, User
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.accounts import crosssite, registration, tokens
from ozone.accounts.authentication import SessionAuthentication
from ozone.accounts.callers import address_of, is_person, may_use_sections
from ozone.accounts.signin import InvalidCredentials, check_password
from ozone.webapi import serializers as wires
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire.errors import ApiError, Forbidden, Unauthorized


@method_decorator(cache_control(no_store=True), name="dispatch")
class PersonView(ApiView):
    """Replies that tell who somebody is, or carry a secret: nobody keeps a copy."""


class OpenDoorView(PersonView):
    """Sign-in and registration: no credential is looked at, but the page the request comes from is."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        crosssite.check(request._request)


class LoginView(OpenDoorView):
    is_hashing = True

    @extend_schema(
        operation_id="auth_login",
        tags=["people"],
        request=wires.SignIn,
        responses={200: wires.SIGNED_IN, 400: Problem, 401: wires.NOT_SIGNED_IN, 403: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Starts a session."""
        body = wires.SignIn(data=request.data)
        body.is_valid(raise_exception=True)
        user = check_password(request._request, **body.validated_data)
        if not may_use_sections(user):
            raise Forbidden("This account sends stations' messages and gets no session.", code="stations_only")
        login(request._request, user)
        return Response({"success": True, "user": wires.Person(user).data})

    def error_body(self, error: ApiError) -> dict[str, Any]:
        if isinstance(error, InvalidCredentials):
            return {"success": False, "message": error.detail}
        return super().error_body(error)


class LogoutView(PersonView):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="auth_logout",
        tags=["people"],
        request=None,
        responses={200: wires.SIGNED_OUT, 401: Problem, 403: Problem},
    )
    def post(self, request: Request) -> Response:
        """Ends the session. An access token beside its cookie leaves it alone: the header alone decides."""
        if isinstance(request.successful_authenticator, SessionAuthentication):
            logout(request._request)
        return Response({"success": True, "message": "Successfully logged out"})


class RegisterView(OpenDoorView):
    is_hashing = True

    @extend_schema(
        operation_id="auth_register",
        tags=["people"],
        request=wires.Registration,
        responses={201: wires.REGISTERED, 400: wires.NOT_REGISTERED, 403: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Makes an account without any rights."""
        registration.require_open()  # before the body is judged
        body = wires.Registration(data=request.data)
        body.is_valid(raise_exception=True)
        user = registration.register(address=address_of(request._request), **body.validated_data)
        reply = {"success": True, "message": "User created successfully", "user": wires.NewUser(user).data}
        return Response(reply, status=201)

    def error_body(self, error: ApiError) -> dict[str, Any]:
        if error.status == 400:
            return {"success": False, "message": error.detail, "errors": error.errors or {}}
        return super().error_body(error)


class UserView(PersonView):
    @extend_schema(operation_id="auth_user", tags=["people"], responses={200: wires.SIGNED_IN, 401: Problem})
    def get(self, request: Request) -> Response:
        """Who is signed in."""
        return Response({"success": True, "user": wires.Person(request.user).data})


class CheckView(PersonView):
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # A credential that is good for nothing here is an answer, not an error.
        try:
            super().initial(request, *args, **kwargs)
        except (Unauthorized, Forbidden):
            request.user = AnonymousUser()

    @extend_schema(operation_id="auth_check", tags=["people"], responses={200: wires.CHECKED})
    def get(self, request: Request) -> Response:
        """Whether somebody is signed in; always 200."""
        user = wires.Person(request.user).data if is_person(request.user) else None
        return Response({"authenticated": user is not None, "user": user})


class TokenDoorView(OpenDoorView):
    """Sign-in for an access token and a refresh token."""

    is_hashing = True

    def error_body(self, error: ApiError) -> dict[str, Any]:
        if isinstance(error, InvalidCredentials):
            return {"success": False, "message": error.detail, "error": "INVALID_CREDENTIALS"}
        return super().error_body(error)


class AdminLoginView(TokenDoorView):
    @extend_schema(
        operation_id="admin_login",
        tags=["people"],
        request=wires.AdminSignIn,
        responses={200: wires.ADMIN_SIGNED_IN, 400: Problem, 401: wires.NO_TOKENS, 403: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Access tokens for staff, which end with the staff status."""
        body = wires.AdminSignIn(data=request.data)
        body.is_valid(raise_exception=True)
        user = check_password(request._request, staff_only=True, **body.validated_data)
        data = _issued(user, as_staff=True)
        return Response({"success": True, "message": "Admin login successful", "data": data})


class TokenView(TokenDoorView):
    @extend_schema(
        operation_id="auth_token",
        tags=["people"],
        request=wires.SignIn,
        responses={200: wires.TOKENS_ISSUED, 400: Problem, 401: wires.NO_TOKENS, 403: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Access tokens for any active user."""
        body = wires.SignIn(data=request.data)
        body.is_valid(raise_exception=True)
        user = check_password(request._request, **body.validated_data)
        return Response({"success": True, "data": _issued(user, as_staff=False)})


class RefreshView(PersonView):
    """The refresh token in the body is the credential: a header is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="admin_refresh",
        tags=["people"],
        request=wires.Refresh,
        responses={200: wires.REFRESHED, 400: Problem, 401: Problem},
    )
    def post(self, request: Request) -> Response:
        """A new access token."""
        body = wires.Refresh(data=request.data)
        body.is_valid(raise_exception=True)
        access = tokens.refresh(body.validated_data["refresh_token"])
        return Response({"success": True, "data": {"access_token": access}})


def _issued(user: User, *, as_staff: bool) -> dict[str, Any]:
    access, refresh = tokens.issue(user, as_staff=as_staff)
    return {
        "user_id": user.pk,
        "access_token": access,
        "refresh_token": refresh,
        "user": wires.Person(user).data,
    }
