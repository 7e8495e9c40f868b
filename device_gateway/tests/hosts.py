"""Projects of others that mount `device_gateway`: their files by path."""

from typing import Final

SETTINGS: Final = """
SECRET_KEY = "a host project's own key, long enough for anybody"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "host_urls"
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "device_gateway",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "host.sqlite3", "ATOMIC_REQUESTS": False}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
ALLOW_PLAIN_HTTP = True
"""

URLS: Final = """
from django.urls import include, path

urlpatterns = [path("gateway/", include("device_gateway.urls", namespace="device-gateway"))]
"""

PLAIN: Final = {"host_settings.py": SETTINGS, "host_urls.py": URLS}
"""Django's own defaults, and nothing beside us."""
ATOMIC: Final = {**PLAIN, "host_settings.py": SETTINGS.replace("False", "True")}
"""A transaction around every request."""
PORTAL: Final = {
    "host_settings.py": SETTINGS
    + """
INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages", "django.contrib.staticfiles", "accounts"]
MIDDLEWARE += [
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.Person"
LOGIN_URL = "/accounts/login/"
STATIC_URL = "/static/"
""",
    "host_urls.py": URLS
    + """
from django.contrib import admin

urlpatterns += [path("admin/", admin.site.urls), path("accounts/", include("accounts.urls"))]
""",
    "accounts/__init__.py": "",
    "accounts/migrations/__init__.py": "",
    "accounts/models.py": """
import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class Profile(models.Model):
    person = models.OneToOneField(Person, on_delete=models.CASCADE)
    phone = models.CharField(max_length=20)
""",
    "accounts/urls.py": """
from django.http import HttpResponse
from django.urls import path

from accounts.models import Profile

app_name = "accounts"
urlpatterns = [path("profile/", lambda request: HttpResponse(Profile.objects.get(person=request.user).phone))]
""",
}
"""As the meters' portal: an app `accounts` with its own people and a model beside them, an admin in which people are
not registered, pages that all want a session."""
