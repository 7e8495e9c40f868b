"""People's pages. Each answers with and without its trailing slash."""

from django.urls import re_path

from pages.views import people, start, tokens

urlpatterns = [
    re_path(r"^$", start.start, name="start"),
    re_path(r"^login/?$", people.sign_in, name="login"),
    re_path(r"^logout/?$", people.sign_out, name="logout"),
    re_path(r"^register/?$", people.register, name="register"),
    re_path(r"^account/?$", people.account, name="account"),
    # Before the gateway's own mount, which answers everything else below it as JSON.
    re_path(r"^gateway/device-tokens/?$", tokens.tokens, name="device-tokens"),
    re_path(r"^gateway/device-tokens/(?P<number>[0-9]{1,18})/revoke/?$", tokens.revoke_pending, name="revoke-token"),
    re_path(r"^gateway/device-tokens/revoke-key/?$", tokens.revoke_credential, name="revoke-key"),
]
