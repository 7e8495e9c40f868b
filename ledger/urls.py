"""The paths of section 7, below `api/`. Each answers with and without its trailing slash."""

from typing import Final

from ledger.lines.urls import urlpatterns as lines
from ledger.prices.urls import urlpatterns as prices
from ledger.sales.urls import urlpatterns as sales
from ledger.statements.urls import urlpatterns as statements

app_name: Final = "ledger"

urlpatterns = [*lines, *prices, *sales, *statements]
