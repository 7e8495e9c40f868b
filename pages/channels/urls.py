from typing import Final

from django.urls import re_path

from pages.channels import actions, views
from pages.kit.paths import NUMBER

CHANNEL: Final = rf"^channels/{NUMBER}"

urlpatterns = [
    re_path(r"^channels/?$", views.channels, name="channels"),
    re_path(r"^channels/add/?$", actions.add, name="channel-add"),
    re_path(rf"{CHANNEL}/edit/?$", actions.edit, name="channel-edit"),
    re_path(rf"{CHANNEL}/verify/?$", actions.verify, name="channel-verify"),
    re_path(rf"{CHANNEL}/code/?$", actions.send_code, name="channel-code"),
    re_path(rf"{CHANNEL}/test/?$", actions.send_test, name="channel-test"),
    re_path(rf"{CHANNEL}/delete/?$", actions.delete, name="channel-delete"),
    re_path(r"^channels/stop/(?P<token>[\w:.-]{1,300})/?$", views.stop, name="channel-stop"),
    re_path(rf"^deliveries/{NUMBER}/replay/?$", actions.replay_one, name="delivery-replay"),
]
