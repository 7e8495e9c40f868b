"""Admin: what the partner's system told and what happened, to be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from device_gateway.admin import ReadOnlyAdmin
from ozone.accounts.callers import is_staff
from stations.models import PowerBank, PowerBankReturn, Station, StationSlot, SyncLog


class ForStaff(ReadOnlyAdmin):
    """Rows that are told or recorded, never typed in; all staff see them, as they do through the API."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_staff(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_staff(request.user)


class SlotInline(admin.TabularInline):
    model = StationSlot
    fields = readonly_fields = ("slot_number", "status", "battery_level", "power_bank", "updated_at")
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("power_bank")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_staff(request.user)

    @admin.display(description="power bank")
    def power_bank(self, slot: StationSlot) -> PowerBank | None:
        return getattr(slot, "power_bank", None)


@admin.register(Station)
class StationAdmin(ForStaff):
    list_display = ("serial_number", "status", "total_slots", "signal_strength", "last_heartbeat", "last_message_at")
    list_filter = ("status",)
    search_fields = ("serial_number", "imei", "wifi_ssid")
    inlines = (SlotInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A station that was scrapped may go, unless returns there are on record; a full sync would make it anew."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)


@admin.register(PowerBank)
class PowerBankAdmin(ForStaff):
    list_display = ("serial_number", "status", "battery_level", "station", "current_slot", "seen_at")
    list_filter = ("status",)
    list_select_related = ("station", "current_slot__station")
    search_fields = ("serial_number", "station__serial_number")


@admin.register(PowerBankReturn)
class PowerBankReturnAdmin(ForStaff):
    list_display = ("returned_at", "power_bank", "station", "slot_number", "battery_level", "condition", "stale")
    list_filter = ("stale",)
    list_select_related = ("power_bank", "station")
    search_fields = ("power_bank__serial_number", "station__serial_number")


@admin.register(SyncLog)
class SyncLogAdmin(ForStaff):
    list_display = ("received_at", "type", "serial_number", "outcome", "code", "warnings", "milliseconds", "body_hash")
    list_filter = ("outcome", "type", "code")
    search_fields = ("=serial_number", "=body_hash")
    show_full_result_count = False
