"""Makes `python manage.py simulate` known to Django. There are no models."""

from django.apps import AppConfig


class SimulatorsConfig(AppConfig):
    name = "simulators"
    verbose_name = "Simulated fleets"
