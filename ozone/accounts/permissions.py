"""What a role may do; which rows it may see is for the app that has the rows to say."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from ozone.accounts.callers import is_signed_in, is_staff, is_superuser


class SignedIn(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_signed_in(request.user)


class Staff(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_staff(request.user)


class StaffWrites(BasePermission):
    """Anybody signed in reads, staff writes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_signed_in(request.user) if request.method in SAFE_METHODS else is_staff(request.user)


class Superuser(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_superuser(request.user)
