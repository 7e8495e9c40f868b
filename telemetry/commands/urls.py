"""Commands, as people send them and follow them up."""

from django.urls import re_path

from telemetry.commands import views
from telemetry.paths import COMMAND, TARGET

urlpatterns = [
    re_path(rf"^device/{TARGET}/commands/create/?$", views.Create.as_view(), name="command-create"),
    re_path(rf"^device/{TARGET}/commands/status/?$", views.CommandStatus.as_view(), name="command-status"),
    re_path(r"^commands/bulk/?$", views.Bulk.as_view(), name="command-bulk"),
    re_path(rf"^{COMMAND}/retry/?$", views.Retry.as_view(), name="command-retry"),
    re_path(rf"^{COMMAND}/cancel/?$", views.Cancel.as_view(), name="command-cancel"),
]
