"""The tables of alerts, each declared in the folder of its subject."""

from alerts.channels.models import Channel, CodeSent
from alerts.conditions.models import Beat, Rule, Watch
from alerts.deliveries.models import Delivery
from alerts.incidents.models import Incident, Maintenance

__all__ = ["Beat", "Channel", "CodeSent", "Delivery", "Incident", "Maintenance", "Rule", "Watch"]
