from django.urls import re_path

from pages.kit.paths import NUMBER
from pages.tokens import views

urlpatterns = [
    # Before the gateway's own mount, which answers everything else below it.
    re_path(r"^gateway/device-tokens/?$", views.tokens, name="device-tokens"),
    # The page's forms are sent here: below /gateway/ every error is JSON, and people want a page.
    re_path(r"^device-tokens/?$", views.tokens, name="issue-token"),
    re_path(rf"^device-tokens/{NUMBER}/revoke/?$", views.revoke_pending, name="revoke-token"),
    re_path(r"^device-tokens/revoke-key/?$", views.revoke_credential, name="revoke-key"),
]
