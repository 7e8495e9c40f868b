from django.urls import re_path

from pages.money import prices

urlpatterns = [
    re_path(r"^prices/?$", prices.prices, name="prices"),
    re_path(r"^prices/set/?$", prices.set_prices, name="prices-set"),
    re_path(r"^prices/share/?$", prices.set_share, name="prices-share"),
]
