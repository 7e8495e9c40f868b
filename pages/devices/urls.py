from django.urls import re_path

from pages.devices import actions, archive, list_views, quarantine, upload, views
from pages.kit.paths import DEVICE, NUMBER

urlpatterns = [
    re_path(r"^devices/?$", list_views.devices, name="devices"),
    # Not below devices/: a device may be called anything.
    re_path(r"^device-add/?$", list_views.add, name="device-add"),
    re_path(r"^device-upload/?$", upload.upload, name="devices-upload"),
    re_path(r"^device-archive/?$", archive.archived, name="devices-archived"),
    re_path(rf"{DEVICE}/?$", views.device, name="device"),
    re_path(rf"{DEVICE}/edit/?$", actions.edit, name="device-edit"),
    re_path(rf"{DEVICE}/rename/?$", actions.rename, name="device-rename"),
    re_path(rf"{DEVICE}/assign/?$", actions.assign, name="device-assign"),
    re_path(rf"{DEVICE}/unassign/?$", actions.unassign, name="device-unassign"),
    re_path(rf"{DEVICE}/allow-handshake/?$", actions.allow, name="device-allow"),
    re_path(rf"{DEVICE}/rotate/?$", actions.rotate, name="device-rotate"),
    re_path(rf"{DEVICE}/redate/?$", actions.redate, name="device-redate"),
    re_path(rf"{DEVICE}/archive/?$", actions.archive, name="device-archive"),
    re_path(rf"{DEVICE}/restore/?$", actions.restore, name="device-restore"),
    re_path(rf"{DEVICE}/quarantine/{NUMBER}/discard/?$", quarantine.discard, name="quarantine-discard"),
    re_path(rf"{DEVICE}/quarantine/{NUMBER}/accept/?$", quarantine.accept, name="quarantine-accept"),
]
