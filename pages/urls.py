"""People's pages. Each answers with and without its trailing slash."""

from django.templatetags.static import static
from django.urls import re_path
from django.views.generic import RedirectView

from pages.views import people, start, tokens

urlpatterns = [
    # Browsers ask for it on pages that name no icon: the admin site, the API reference.
    re_path(r"^favicon\.ico$", RedirectView.as_view(url=static("pages/favicon.svg")), name="favicon"),
    re_path(r"^$", start.start, name="start"),
    re_path(r"^login/?$", people.sign_in, name="login"),
    re_path(r"^logout/?$", people.sign_out, name="logout"),
    re_path(r"^register/?$", people.register, name="register"),
    re_path(r"^account/?$", people.account, name="account"),
    # Before the gateway's own mount, which answers everything else below it.
    re_path(r"^gateway/device-tokens/?$", tokens.tokens, name="device-tokens"),
    # The page's forms are sent here: below /gateway/ every error is JSON, and people want a page.
    re_path(r"^device-tokens/?$", tokens.tokens, name="issue-token"),
    re_path(r"^device-tokens/(?P<number>[0-9]{1,18})/revoke/?$", tokens.revoke_pending, name="revoke-token"),
    re_path(r"^device-tokens/revoke-key/?$", tokens.revoke_credential, name="revoke-key"),
]
