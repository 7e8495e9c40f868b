from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "telemetry"
    verbose_name = "Ozone machines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from device_gateway.registry import COMMANDS, registry
        from telemetry import commands, polling, storing

        storing.register_kinds()
        polling.register_kinds()
        registry.watcher.tell(COMMANDS, commands.wake_waiting)
