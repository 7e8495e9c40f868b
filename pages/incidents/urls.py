from typing import Final

from django.urls import re_path

from pages.incidents import actions, maintenance, rules, views
from pages.kit.paths import NUMBER

INCIDENT: Final = rf"^incidents/{NUMBER}"

urlpatterns = [
    re_path(r"^incidents/?$", views.incidents, name="incidents"),
    re_path(rf"{INCIDENT}/?$", views.incident, name="incident"),
    re_path(rf"{INCIDENT}/acknowledge/?$", actions.acknowledge_one, name="incident-acknowledge"),
    re_path(rf"{INCIDENT}/snooze/?$", actions.snooze_one, name="incident-snooze"),
    re_path(r"^incidents/maintenance/?$", maintenance.windows, name="maintenance"),
    re_path(r"^incidents/maintenance/add/?$", maintenance.add, name="maintenance-add"),
    re_path(rf"^incidents/maintenance/{NUMBER}/end/?$", maintenance.end, name="maintenance-end"),
    re_path(r"^incidents/rules/?$", rules.rules, name="rules"),
    re_path(r"^incidents/rules/set/?$", rules.set_rule, name="rule-set"),
    re_path(rf"^incidents/rules/{NUMBER}/remove/?$", rules.remove, name="rule-remove"),
]
