"""The tables of alerts, each declared in the folder of its subject."""

from alerts.conditions.models import Rule, Watch
from alerts.incidents.models import Incident, Maintenance
from alerts.runner.models import Beat

__all__ = ["Beat", "Incident", "Maintenance", "Rule", "Watch"]
