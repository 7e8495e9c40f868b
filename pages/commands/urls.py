from django.urls import re_path

from pages.commands import bulk, views
from pages.kit.paths import DEVICE

urlpatterns = [
    re_path(r"^device-bulk/?$", bulk.bulk, name="devices-bulk"),
    re_path(rf"{DEVICE}/commands/?$", views.commands, name="device-commands"),
    re_path(rf"{DEVICE}/commands/send/?$", views.send, name="command-send"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/retry/?$", views.retry, name="command-retry"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/cancel/?$", views.cancel, name="command-cancel"),
]
