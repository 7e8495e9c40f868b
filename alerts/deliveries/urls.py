"""The log of deliveries."""

from django.urls import re_path

from alerts.deliveries import views

urlpatterns = [
    re_path(r"^deliveries/?$", views.Deliveries.as_view(), name="deliveries"),
    re_path(r"^deliveries/(?P<number>[0-9]{1,19})/replay/?$", views.ReplayDelivery.as_view(), name="delivery-replay"),
]
