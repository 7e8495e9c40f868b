"""The paths of section 7, below `api/`. Each answers with and without its trailing slash."""

from typing import Final

from ledger.prices.urls import urlpatterns as prices

app_name: Final = "ledger"

urlpatterns = [*prices]
