"""Admin: devices can be added and edited; tokens, credentials and telemetry are read-only."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, DeviceTelemetry, ProvisioningToken
from device_gateway.registry.services import archive_device, restore_device
from device_gateway.secret import check_key, hash_secret, new_secret
from ozone.accounts.edits import EditAdmin
from ozone.webapi.names import NamesThings


class DeviceForm(forms.ModelForm):
    token = forms.CharField(
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text="A value becomes the device's key, stored as a hash; it is never shown again. 16 to 127 ASCII "
        "characters. Blank: the key stays as it is.",
    )

    class Meta:
        model = Device
        fields = ("name", "owner", "location", "device_id", "mac", "firmware", "notes", "assigned")

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"]
        if token:
            check_key(token)
        if token and Credential.objects.filter(hash=hash_secret(token)).exists():
            raise ValidationError("This key is, or was, in use. Choose another.")
        return token

    def clean_device_id(self) -> str | None:
        return self.cleaned_data["device_id"] or (self.instance.device_id if self.instance.pk else None)

    def clean_mac(self) -> str | None:
        return self.cleaned_data["mac"] or None


@admin.register(Device)
class DeviceAdmin(NamesThings, EditAdmin):
    form = DeviceForm
    list_display = ("id", "device_id", "name", "owner", "location", "assigned", "last_seen", "is_archived")
    list_display_links = ("id", "device_id")
    list_filter = ("assigned", ("archived_at", admin.EmptyFieldListFilter), "encryption")
    list_select_related = ("owner", "state")
    search_fields = ("device_id", "names__name", "mac", "name", "location", "owner__username")
    readonly_fields = ("id", "last_seen", "latest_reading", "encryption", "created_at", "archived_at", "credential")
    actions = ("generate_new_token", "archive", "restore")

    @property
    def autocomplete_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("owner",) if self._can_search_people() else ()

    @property
    def raw_id_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        return () if self._can_search_people() else ("owner",)

    def _can_search_people(self) -> bool:
        """Whether the admin that shows us has people to search; a host project's may have none."""
        people = self.admin_site._registry.get(get_user_model())
        return people is not None and bool(people.search_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Archived, never deleted: its history stays, and no meter erases its key."""
        return False

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        if not change or "device_id" in form.changed_data:
            obj.assigned = obj.assigned or bool(form.cleaned_data.get("device_id"))
        obj.token = form.cleaned_data.get("token") or ""
        super().save_model(request, obj, form, change)

    @admin.display(boolean=True, description="archived")
    def is_archived(self, device: Device) -> bool:
        return device.archived_at is not None

    @admin.display(description="latest reading")
    def latest_reading(self, device: Device) -> Any:
        return device.latest_payload if device.pk else None

    @admin.display(description="current credential")
    def credential(self, device: Device) -> str:
        key = device.credentials.filter(revoked_at=None).first() if device.pk else None
        if key is None:
            return "none"
        used = "never used"
        if key.last_used_at:
            used = f"last used {timezone.localtime(key.last_used_at):%Y-%m-%d %H:%M:%S}"
        return f"{key} ({key.get_source_display()}, {used})"

    @admin.action(description="Generate new token (the current one stops working)", permissions=["change"])
    def generate_new_token(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse:
        made = []
        for device in queryset:
            key = new_secret()
            set_key(device=device, key=key, source=Credential.Source.ADMIN, now=timezone.now())
            made.append((device, key))
        # In this reply and nowhere else: a message would wait in a cookie or the session.
        response = TemplateResponse(
            request,
            "admin/device_gateway/device/new_tokens.html",
            {**self.admin_site.each_context(request), "title": "New tokens", "made": made},
        )
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        for device in queryset:
            archive_device(device=device, now=timezone.now())
        self.message_user(request, "Archived. Their keys are refused with 403 until they are restored.")

    @admin.action(description="Restore", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        for device in queryset:
            restore_device(device=device)
        self.message_user(request, "Restored.")


class ReadOnlyAdmin(admin.ModelAdmin):
    """Looked at, never changed here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ProvisioningToken)
class ProvisioningTokenAdmin(ReadOnlyAdmin):
    list_display = (
        "prefix",
        "device",
        "state",
        "issuer_name",
        "created_at",
        "expires_at",
        "claimed_at",
        "claimed_from",
    )
    list_filter = ("created_at", "claimed_at")
    list_select_related = ("device", "issued_by")
    search_fields = ("prefix", "device__device_id", "device__name", "issuer_name", "notes", "claimed_from")
    exclude = ("token_hash", "claim_salt")

    @admin.display(description="state")
    def state(self, token: ProvisioningToken) -> str:
        return token.state_at(timezone.now()).label


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "device", "source", "created_at", "last_used_at", "revoked_at")
    list_filter = ("source", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("device",)
    search_fields = ("prefix", "device__device_id", "device__name")
    exclude = ("hash",)


@admin.register(DeviceTelemetry)
class DeviceTelemetryAdmin(ReadOnlyAdmin):
    list_display = ("id", "device", "occurred_at", "received_at", "payload")
    list_select_related = ("device",)
    search_fields = ("device__device_id", "device__name", "message_id")
    ordering = ("-id",)
    # Millions of rows: no count of them all, no filter that would need an index of its own.
    show_full_result_count = False
    exclude = ("nonce",)
