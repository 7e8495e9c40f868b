"""Every endpoint of section 3 is in the OpenAPI, with its bodies."""

from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

pytestmark = pytest.mark.sqlite_only


def test_it_is_complete() -> None:
    GENERATOR_STATS.reset()
    generator: Any = SchemaGenerator
    with patched_settings({"POSTPROCESSING_HOOKS": []}):  # the project's own adds the device routes
        schema = generator(urlconf="ozone.webapi.tests.openapi_urls").get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    operations = {
        f"{method} {path}": what for path, methods in schema["paths"].items() for method, what in methods.items()
    }
    assert operations.keys() == {
        "post /api/auth/login/",
        "post /api/auth/logout/",
        "post /api/auth/register/",
        "get /api/auth/user/",
        "get /api/auth/check/",
        "post /api/auth/token/",
        "post /api/admin/login/",
        "post /api/admin/refresh/",
    }
    assert operations["get /api/auth/user/"]["security"] == [{"accessToken": []}, {"session": []}]
    assert set(operations["post /api/admin/login/"]["responses"]) == {"200", "400", "401", "403", "429"}
    assert operations["post /api/auth/login/"]["requestBody"]["content"].keys() == {"application/json"}
    assert schema["components"]["securitySchemes"].keys() == {"accessToken", "session"}
