from django.apps import AppConfig


class DeviceGatewayConfig(AppConfig):
    name = "device_gateway"
    verbose_name = "Device gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the two `openapi` registers how credentials are named in the OpenAPI.
        import ozone.webapi.openapi  # noqa: F401
        from device_gateway import openapi, readings, registry  # noqa: F401

        registry.connect_signals()
        readings.register_kinds()
