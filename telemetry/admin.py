"""Admin: outlets and machines can be added and edited, as the services do it; what devices have told is read-only."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from device_gateway.admin import ReadOnlyAdmin
from ozone.accounts.edits import EditAdmin
from ozone.webapi.names import NamesThings
from telemetry.machines import bindings
from telemetry.models import DeviceStatus, Machine, MachineDevice, Outlet, Swap, TelemetryEvent


class ArchivedAdmin(NamesThings, EditAdmin):
    """Rows that are archived, never deleted: history points to them. An archived one is only looked at, or restored."""

    actions: Any = ("archive", "restore")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.archived_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(boolean=True, description="archived")
    def is_archived(self, row: Any) -> bool:
        return row.archived_at is not None


@admin.register(Outlet)
class OutletAdmin(ArchivedAdmin):
    list_display = ("id", "name", "region", "contact_person", "is_active", "is_archived")
    list_display_links = ("id", "name")
    list_filter = ("is_active", ("archived_at", admin.EmptyFieldListFilter), "region")
    search_fields = ("name", "region", "address", "contact_person")
    readonly_fields = ("id", "archived_at")

    def save_model(self, request: HttpRequest, obj: Outlet, form: forms.ModelForm, change: bool) -> None:
        # The columns that were edited and no others: it may be archived at this moment.
        obj.save(update_fields=form.changed_data if change else None)

    @admin.action(description="Archive (their machines stay, without an outlet)", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Outlet]) -> None:
        for outlet in queryset.filter(archived_at=None):
            bindings.archive_outlet(outlet=outlet)
        self.message_user(request, "Archived.")

    @admin.action(description="Restore (with their machines that have no other outlet)", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Outlet]) -> None:
        for outlet in queryset:
            bindings.restore_outlet(outlet=outlet)
        self.message_user(request, "Restored.")


class BindingInline(admin.TabularInline):
    """Which devices a machine had, where and when."""

    model = MachineDevice
    fields = readonly_fields = ("device", "outlet", "assigned_date", "deactivated_date", "is_active")
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("device", "outlet")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Machine)
class MachineAdmin(ArchivedAdmin):
    list_display = ("id", "name", "outlet", "device", "is_active", "is_archived")
    list_display_links = ("id", "name")
    list_filter = ("is_active", ("archived_at", admin.EmptyFieldListFilter), "outlet")
    list_select_related = ("outlet", "device")
    search_fields = ("name", "outlet__name", "device__device_id")
    readonly_fields = ("id", "device", "archived_at")
    inlines = (BindingInline,)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "outlet":
            kwargs["queryset"] = Outlet.objects.filter(archived_at=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Machine, form: forms.ModelForm, change: bool) -> None:
        if change:
            edited = {name: form.cleaned_data[name] for name in form.changed_data}
            bindings.change_machine(machine=obj, fields=edited)
        else:
            obj.pk = bindings.add_machine(fields=form.cleaned_data).pk

    @admin.action(description="Archive (their devices are free, their history stays)", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Machine]) -> None:
        for machine in queryset.filter(archived_at=None):
            bindings.archive_machine(machine=machine)
        self.message_user(request, "Archived.")

    @admin.action(description="Restore (with their devices, where these are free)", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Machine]) -> None:
        for machine in queryset:
            _, lacking = bindings.restore_machine(machine=machine)
            for sentence in lacking.values():
                self.message_user(request, f"{machine}: {sentence}", messages.WARNING)
        self.message_user(request, "Restored.")


@admin.register(MachineDevice)
class MachineDeviceAdmin(ReadOnlyAdmin):
    list_display = ("machine", "device", "outlet", "assigned_date", "deactivated_date", "is_active")
    list_filter = ("is_active", "outlet")
    list_select_related = ("machine", "device", "outlet")
    search_fields = ("machine__name", "device__device_id", "outlet__name")


@admin.register(Swap)
class SwapAdmin(ReadOnlyAdmin):
    """Who has ordered which change of board."""

    list_display = ("machine", "old", "new", "at", "ordered_by", "undoes")
    list_select_related = ("machine", "old", "new", "ordered_by", "undoes")
    search_fields = ("machine__name", "old__device_id", "new__device_id", "ordered_by__username")


@admin.register(DeviceStatus)
class DeviceStatusAdmin(ReadOnlyAdmin):
    list_display = (
        "device",
        "current_count_basic",
        "current_count_standard",
        "current_count_premium",
        "wifi_connected",
        "last_seen",
        "last_poll",
    )
    list_select_related = ("device__state",)
    search_fields = ("device__device_id", "device__name")


@admin.register(TelemetryEvent)
class TelemetryEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "device", "event_id", "event_type", "counter", "occurred_at", "received_at", "source")
    list_select_related = ("device",)
    search_fields = ("device__device_id", "device__name", "event_id")
    ordering = ("-id",)
    # Millions of rows: no count of them all, no filter that would need an index of its own.
    show_full_result_count = False
