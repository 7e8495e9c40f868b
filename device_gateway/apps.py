from django.apps import AppConfig


class DeviceGatewayConfig(AppConfig):
    name = "device_gateway"
    verbose_name = "Device gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from device_gateway import readings, registry

        registry.connect_signals()
        readings.register_kinds()
