"""ApiView in a project that knows nothing of us: not installed, no setting, another project's ideas of REST."""

import subprocess
import sys
from pathlib import Path

from ozone import accounts

PROJECT = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a host project's own key, long enough",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.AdminRenderer"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "EXCEPTION_HANDLER": "nowhere.at_all",
        "UNAUTHENTICATED_USER": None,
    },
    SIMPLE_JWT={"ALGORITHM": "RS256"},
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework.response import Response

from ozone.webapi.view import ApiView
from ozone.accounts.tokens import issue


class Hello(ApiView):
    def post(self, request):
        return Response({"hello": str(request.user), "body": request.data})


urlpatterns = [path("hello", Hello.as_view())]
call_command("migrate", verbosity=0)
vera = User.objects.create_user("vera", password="x")
for headers in ({}, {"Authorization": "Bearer " + issue(vera, as_staff=False)[0]}):
    reply = Client(enforce_csrf_checks=True).post("/hello", b"{}", "application/json", headers=headers)
    print(reply.status_code, reply.content.decode())
client = Client(enforce_csrf_checks=True)
client.force_login(vera)
print(client.post("/hello", b"{}", "application/json", headers={"Sec-Fetch-Site": "cross-site"}).status_code)
print(client.post("/hello", b"{}", "application/json").status_code)
"""


def test_it_works() -> None:
    root = Path(accounts.__file__).parents[2]
    command = [sys.executable, "-c", PROJECT]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        '401 {"detail":"Sign in, or send an access token.","code":"signed_out"}',
        '200 {"hello":"vera","body":{}}',
        "403",
        "200",
    ]
