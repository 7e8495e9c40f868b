from django.apps import AppConfig


class DeviceGatewayConfig(AppConfig):
    name = "device_gateway"
    verbose_name = "Device gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from device_gateway import openapi, readings, registry  # noqa: F401

        registry.connect_signals()
        readings.register_kinds()
