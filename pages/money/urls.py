from typing import Final

from django.urls import re_path

from ledger.statements.urls import STATEMENT
from pages.kit.paths import NUMBER
from pages.money import prices, statements

MONTH: Final = r"(?P<month>[0-9]{4}-[0-9]{2})"

urlpatterns = [
    re_path(r"^prices/?$", prices.prices, name="prices"),
    re_path(r"^prices/set/?$", prices.set_prices, name="prices-set"),
    re_path(r"^prices/share/?$", prices.set_share, name="prices-share"),
    re_path(rf"^prices/{NUMBER}/delete/?$", prices.delete_price, name="price-delete"),
    re_path(rf"^prices/share/{NUMBER}/delete/?$", prices.delete_share, name="share-delete"),
    re_path(r"^statements/?$", statements.statements, name="statements"),
    re_path(rf"^statements/close/{MONTH}/?$", statements.close_month, name="statements-close"),
    re_path(rf"^statements/{STATEMENT}/?$", statements.statement, name="statement"),
    re_path(rf"^statements/{STATEMENT}/close/?$", statements.close, name="statement-close"),
]
