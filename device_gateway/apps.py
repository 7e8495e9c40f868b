from django.apps import AppConfig


class DeviceGatewayConfig(AppConfig):
    name = "device_gateway"
    verbose_name = "Device gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing it registers how a person's credentials are named in the OpenAPI.
        import ozone.webapi.openapi  # noqa: F401
        from device_gateway import room, states, versions
        from device_gateway.claims import storing as claims
        from device_gateway.keys import credentials, memory
        from device_gateway.models import DeviceTelemetry
        from device_gateway.readings import refusals, storing

        room.counted.append(DeviceTelemetry)
        credentials.connect_signals()
        memory.connect_signals()
        # The order of what is written last: a handshake has the credential before the state.
        memory.register_kind()
        states.register_store()
        versions.register_stores()
        claims.register_kind()
        storing.register_kind()
        refusals.register_kind()
