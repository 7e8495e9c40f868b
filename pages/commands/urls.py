from django.urls import re_path

from pages.commands import bulk, progress, views
from pages.kit.paths import DEVICE, NUMBER

urlpatterns = [
    re_path(r"^device-bulk/?$", bulk.bulk, name="devices-bulk"),
    re_path(r"^command-bulks/?$", progress.bulks, name="bulks"),
    re_path(rf"^command-bulks/{NUMBER}/?$", progress.bulk, name="bulk"),
    re_path(rf"^command-bulks/{NUMBER}/cancel/?$", progress.cancel, name="bulk-cancel"),
    re_path(rf"{DEVICE}/commands/?$", views.commands, name="device-commands"),
    re_path(rf"{DEVICE}/commands/send/?$", views.send, name="command-send"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/retry/?$", views.retry, name="command-retry"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/cancel/?$", views.cancel, name="command-cancel"),
]
