from typing import Final

from django.urls import re_path

from pages.kit.paths import NUMBER
from pages.machines import deleted
from pages.outlets import actions, views

OUTLET: Final = rf"^outlets/{NUMBER}"

urlpatterns = [
    re_path(r"^outlets/?$", views.outlets, name="outlets"),
    re_path(r"^outlets/add/?$", actions.add, name="outlet-add"),
    re_path(r"^outlets/deleted/?$", deleted.outlets, name="outlets-deleted"),
    re_path(rf"{OUTLET}/?$", views.outlet, name="outlet"),
    re_path(rf"{OUTLET}/edit/?$", actions.edit, name="outlet-edit"),
    re_path(rf"{OUTLET}/delete/?$", actions.delete, name="outlet-delete"),
    re_path(rf"{OUTLET}/restore/?$", actions.restore, name="outlet-restore"),
]
