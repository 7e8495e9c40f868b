"""Channels."""

from django.urls import re_path

from alerts.subscriptions import views

_ONE = r"^channels/(?P<number>[0-9]{1,19})"

urlpatterns = [
    re_path(r"^channels/?$", views.Channels.as_view(), name="channels"),
    re_path(rf"{_ONE}/?$", views.ChannelDetail.as_view(), name="channel"),
    re_path(rf"{_ONE}/code/?$", views.ChannelCode.as_view(), name="channel-code"),
    re_path(rf"{_ONE}/verify/?$", views.VerifyChannel.as_view(), name="channel-verify"),
    re_path(rf"{_ONE}/test/?$", views.TestChannel.as_view(), name="channel-test"),
]
