from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "telemetry"
    verbose_name = "Ozone machines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from device_gateway import room
        from device_gateway.keys.memory import COMMANDS, keyring
        from telemetry.commands import polling, services
        from telemetry.device_side import storing
        from telemetry.models import TelemetryEvent

        room.counted.append(TelemetryEvent)
        storing.register_kinds()
        polling.register_kinds()
        keyring.watcher.tell(COMMANDS, services.wake_waiting)
