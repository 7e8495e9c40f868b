"""The API's description, made once in a process: it is the same for everybody, and to write it takes a second."""

import threading
from functools import cache
from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.request import Request
from rest_framework.views import APIView

from ozontelemetry.openapi.schema import ACCESS

_one_at_a_time: Final = threading.Lock()


class Description(APIView):
    """As YAML or JSON, by `Accept` or `format`."""

    permission_classes = ACCESS["permission_classes"]
    authentication_classes = ACCESS["authentication_classes"]
    renderer_classes = (OpenApiYamlRenderer, OpenApiYamlRenderer2, OpenApiJsonRenderer, OpenApiJsonRenderer2)
    schema = None

    def get(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        made_by: Any = type(renderer)
        with _one_at_a_time:
            text = _written(made_by)
        kind = f"{renderer.media_type}; charset={renderer.charset}" if renderer.charset else str(renderer.media_type)
        named = f'inline; filename="Ozone Telemetry.{renderer.format}"'
        return HttpResponse(text, content_type=kind, headers={"Content-Disposition": named})


@cache
def _written(renderer: Any) -> str | bytes:
    return renderer().render(_described(), renderer_context={})


@cache
def _described() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)
