from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ozone.accounts"
    label = "ozone_accounts"  # a host project may have an app called accounts
