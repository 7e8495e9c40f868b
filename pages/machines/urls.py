from typing import Final

from django.urls import re_path

from pages.kit.paths import NUMBER
from pages.machines import actions, deleted, labels, ledger, logs, views

MACHINE: Final = rf"^machines/{NUMBER}"

urlpatterns = [
    re_path(r"^machines/?$", views.machines, name="machines"),
    re_path(r"^machines/add/?$", actions.add, name="machine-add"),
    re_path(r"^machines/deleted/?$", deleted.machines, name="machines-deleted"),
    re_path(r"^machines/labels/?$", labels.labels, name="machine-labels"),
    re_path(rf"{MACHINE}/logs/?$", logs.logs, name="machine-logs"),
    re_path(rf"{MACHINE}/ledger/?$", ledger.machine_ledger, name="machine-ledger"),
    re_path(rf"{MACHINE}/ledger/(?P<line>[0-9]+)/settle/?$", ledger.settle_line, name="settle-machine-line"),
    re_path(rf"{MACHINE}/edit/?$", actions.edit, name="machine-edit"),
    re_path(rf"{MACHINE}/assign/?$", actions.assign, name="machine-assign"),
    re_path(rf"{MACHINE}/unassign/?$", actions.unassign, name="machine-unassign"),
    re_path(rf"{MACHINE}/delete/?$", actions.delete, name="machine-delete"),
    re_path(rf"{MACHINE}/restore/?$", actions.restore, name="machine-restore"),
]
