from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PagesConfig(AppConfig):
    name = "pages"
    default = True


class AdminConfig(admin_apps.AdminConfig):
    """In the place of `django.contrib.admin` among the installed apps."""

    default = False
    default_site = "pages.site.Site"
