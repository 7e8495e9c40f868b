"""The paths of section 8, below `api/`. Each answers with and without its trailing slash."""

from typing import Final

from alerts.deliveries.urls import urlpatterns as deliveries
from alerts.incidents.urls import urlpatterns as incidents
from alerts.rules.urls import urlpatterns as rules
from alerts.subscriptions.urls import urlpatterns as subscriptions

app_name: Final = "alerts"

urlpatterns = [*incidents, *rules, *subscriptions, *deliveries]
