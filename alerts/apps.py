from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"
    verbose_name = "Alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from alerts.deliveries.announcing import announce, most_at_once
        from alerts.deliveries.sender import sender
        from alerts.incidents.happening import announcing, bounding
        from alerts.runner.leading import runner

        announcing.append(announce)
        bounding.append(most_at_once)
        runner.beside.append(sender)
