"""Settings of the plain project: what `startproject` writes, less what this one view never touches."""

import os

import environ

SECRET_KEY = "only-for-benchmarks-on-the-loopback-address"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "bench.plain",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "bench.plain.urls"
DATABASES = {"default": environ.Env().db("DATABASE_URL")}
# Django's default is 0, a new connection for each request; the benchmark tries both and keeps the faster one.
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("PLAIN_CONN_MAX_AGE", "0"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
