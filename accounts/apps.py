from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # Importing it registers how the API's two credentials are named in the OpenAPI.
        from accounts import openapi  # noqa: F401
