"""Lists of devices, outlets, and the machines that stand there."""

from django.urls import re_path

from telemetry.machines import device_views, log_views, swap_views, views
from telemetry.paths import NUMBER

urlpatterns = [
    re_path(r"^devices/online/?$", device_views.Online.as_view(), name="devices-online"),
    re_path(r"^devices/all/?$", device_views.All.as_view(), name="devices-all"),
    re_path(r"^devices-data/?$", device_views.DevicesData.as_view(), name="devices-data"),
    re_path(r"^devices/?$", device_views.Devices.as_view(), name="devices-list"),
    re_path(r"^telemetry/summary/?$", device_views.Summary.as_view(), name="telemetry-summary"),
    re_path(r"^telemetry/latest/?$", device_views.Newest.as_view(), name="telemetry-latest-of-any"),
    re_path(r"^outlets/?$", views.Outlets.as_view(), name="outlets"),
    re_path(rf"^outlets/{NUMBER}/?$", views.OutletDetail.as_view(), name="outlet"),
    re_path(rf"^outlets/{NUMBER}/restore/?$", views.RestoreOutlet.as_view(), name="outlet-restore"),
    re_path(r"^machines/?$", views.Machines.as_view(), name="machines"),
    re_path(r"^machines/register/?$", views.Register.as_view(), name="machine-register"),
    re_path(r"^machines/unregistered/?$", views.Unregistered.as_view(), name="machines-unregistered"),
    re_path(rf"^machines/{NUMBER}/?$", views.MachineDetail.as_view(), name="machine"),
    re_path(rf"^machines/{NUMBER}/restore/?$", views.RestoreMachine.as_view(), name="machine-restore"),
    re_path(rf"^machines/{NUMBER}/device/?$", swap_views.MachineBoard.as_view(), name="machine-board"),
    re_path(rf"^machines/{NUMBER}/device/undo/?$", swap_views.UndoSwap.as_view(), name="machine-board-undo"),
    re_path(rf"^machines/{NUMBER}/logs/?$", log_views.MachineLogs.as_view(), name="machine-logs"),
]
