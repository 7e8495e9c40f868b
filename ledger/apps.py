from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from ledger.models import Epoch, Line
        from ledger.statements.guard import refuse_flush
        from telemetry.events import flushing

        flushing.objections.append(refuse_flush)
        flushing.DRAWN_FROM_EVENTS[:] = [Line, Epoch]
