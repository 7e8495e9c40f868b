"""People's pages. Each answers with and without its trailing slash."""

from typing import Final

from django.templatetags.static import static
from django.urls import re_path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from pages import stations, stats
from pages.commands import bulk
from pages.commands import views as commands
from pages.dashboard import views as start
from pages.devices import actions as device_actions
from pages.devices import archive, quarantine, upload
from pages.devices import list_views as devices
from pages.devices import views as device
from pages.machines import actions as machine_actions
from pages.machines import logs as machine_logs
from pages.machines import views as machines
from pages.outlets import actions as outlet_actions
from pages.outlets import views as outlets
from pages.people import views as people
from pages.tokens import views as tokens

DEVICE: Final = r"^devices/(?P<name>[^/]+)"
NUMBER: Final = r"(?P<number>[0-9]{1,18})"
MACHINE: Final = r"^machines/(?P<number>[0-9]{1,18})"
OUTLET: Final = r"^outlets/(?P<number>[0-9]{1,18})"

urlpatterns = [
    # Browsers ask for it on pages that name no icon: the admin site, the API reference.
    re_path(r"^favicon\.ico$", require_safe(RedirectView.as_view(url=static("pages/favicon.svg"))), name="favicon"),
    re_path(r"^$", start.start, name="start"),
    re_path(r"^login/?$", people.sign_in, name="login"),
    re_path(r"^logout/?$", people.sign_out, name="logout"),
    re_path(r"^register/?$", people.register, name="register"),
    re_path(r"^account/?$", people.account, name="account"),
    # Before the gateway's own mount, which answers everything else below it.
    re_path(r"^gateway/device-tokens/?$", tokens.tokens, name="device-tokens"),
    # The page's forms are sent here: below /gateway/ every error is JSON, and people want a page.
    re_path(r"^device-tokens/?$", tokens.tokens, name="issue-token"),
    re_path(r"^device-tokens/(?P<number>[0-9]{1,18})/revoke/?$", tokens.revoke_pending, name="revoke-token"),
    re_path(r"^device-tokens/revoke-key/?$", tokens.revoke_credential, name="revoke-key"),
    re_path(r"^devices/?$", devices.devices, name="devices"),
    # Not below devices/: a device may be called anything.
    re_path(r"^device-add/?$", devices.add, name="device-add"),
    re_path(r"^device-upload/?$", upload.upload, name="devices-upload"),
    re_path(r"^device-bulk/?$", bulk.bulk, name="devices-bulk"),
    re_path(r"^device-archive/?$", archive.archived, name="devices-archived"),
    re_path(rf"{DEVICE}/?$", device.device, name="device"),
    re_path(rf"{DEVICE}/edit/?$", device_actions.edit, name="device-edit"),
    re_path(rf"{DEVICE}/rename/?$", device_actions.rename, name="device-rename"),
    re_path(rf"{DEVICE}/assign/?$", device_actions.assign, name="device-assign"),
    re_path(rf"{DEVICE}/unassign/?$", device_actions.unassign, name="device-unassign"),
    re_path(rf"{DEVICE}/allow-handshake/?$", device_actions.allow, name="device-allow"),
    re_path(rf"{DEVICE}/rotate/?$", device_actions.rotate, name="device-rotate"),
    re_path(rf"{DEVICE}/redate/?$", device_actions.redate, name="device-redate"),
    re_path(rf"{DEVICE}/archive/?$", device_actions.archive, name="device-archive"),
    re_path(rf"{DEVICE}/restore/?$", device_actions.restore, name="device-restore"),
    re_path(rf"{DEVICE}/quarantine/{NUMBER}/discard/?$", quarantine.discard, name="quarantine-discard"),
    re_path(rf"{DEVICE}/quarantine/{NUMBER}/accept/?$", quarantine.accept, name="quarantine-accept"),
    re_path(rf"{DEVICE}/commands/?$", commands.commands, name="device-commands"),
    re_path(rf"{DEVICE}/commands/send/?$", commands.send, name="command-send"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/retry/?$", commands.retry, name="command-retry"),
    re_path(rf"{DEVICE}/commands/(?P<command_id>[^/]+)/cancel/?$", commands.cancel, name="command-cancel"),
    re_path(r"^machines/?$", machines.machines, name="machines"),
    re_path(r"^machines/add/?$", machine_actions.add, name="machine-add"),
    re_path(rf"{MACHINE}/logs/?$", machine_logs.logs, name="machine-logs"),
    re_path(rf"{MACHINE}/edit/?$", machine_actions.edit, name="machine-edit"),
    re_path(rf"{MACHINE}/assign/?$", machine_actions.assign, name="machine-assign"),
    re_path(rf"{MACHINE}/unassign/?$", machine_actions.unassign, name="machine-unassign"),
    re_path(rf"{MACHINE}/delete/?$", machine_actions.delete, name="machine-delete"),
    re_path(r"^outlets/?$", outlets.outlets, name="outlets"),
    re_path(r"^outlets/add/?$", outlet_actions.add, name="outlet-add"),
    re_path(rf"{OUTLET}/?$", outlets.outlet, name="outlet"),
    re_path(rf"{OUTLET}/edit/?$", outlet_actions.edit, name="outlet-edit"),
    re_path(rf"{OUTLET}/delete/?$", outlet_actions.delete, name="outlet-delete"),
    re_path(r"^stats/?$", stats.stats, name="stats"),
    re_path(r"^stations/?$", stations.stations, name="stations"),
    re_path(r"^stations/(?P<serial>[^/\x00]+)/?$", stations.station, name="station"),
]
