"""OpenAPI for what Django's views do not show: the device routes, which answer outside Django as well."""

from typing import Any, Final

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from ozone.accounts.authentication import AccessTokenAuthentication, SessionAuthentication
from ozontelemetry.openapi.describe import OBJECT, body, complete, errors, operations, reply
from ozontelemetry.openapi.describe_machines import MACHINE_PATHS
from ozontelemetry.openapi.examples import EXAMPLES


class MayRead(BasePermission):
    """The API's description is for anybody in development, for who is signed in otherwise."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return settings.DEBUG or bool(request.user and request.user.is_authenticated)


ACCESS: Final[dict[str, Any]] = {
    "permission_classes": [MayRead],
    "authentication_classes": [AccessTokenAuthentication, SessionAuthentication],
}
"""What the views that show the description take."""

_CLAIM: Final = {
    "post": {
        "operationId": "claim",
        "summary": "A provisioning token for a key of one's own; again the same key if the reply was lost.",
        "tags": ["device"],
        "requestBody": body(
            {
                "type": "object",
                "required": ["token"],
                "properties": {"token": {"type": "string"}, "device_metadata": OBJECT},
            }
        ),
        "responses": {
            "201": reply(
                "The key, shown this once.",
                {
                    "device_id": {"type": "integer"},
                    "api_key": {"type": "string"},
                    "ingest_url": {"type": "string", "format": "uri"},
                    "token_expires_at": {"type": "string", "format": "date-time", "nullable": True},
                    "encryption_key_b64": {"type": "string", "description": "Where the token asked for encryption."},
                },
                optional=("encryption_key_b64",),
            ),
            **errors(400, 403, 405, 408, 413, 415, 429, 503),
        },
    }
}
_INGEST: Final = {
    "post": {
        "operationId": "ingest",
        "summary": "A reading (an object) or a batch (an array of up to 1,000). 201: stored.",
        "tags": ["device"],
        "security": [{"deviceKey": []}],
        "parameters": [
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 64}},
            {"name": "Content-Encoding", "in": "header", "schema": {"type": "string", "enum": ["gzip", "identity"]}},
        ],
        "requestBody": body({"oneOf": [OBJECT, {"type": "array", "maxItems": 1000, "items": OBJECT}]}),
        "responses": {
            "201": reply(
                "Committed. `accepted` with a batch only: its length, repeats included.",
                {"status": {"type": "string", "enum": ["ok"]}, "accepted": {"type": "integer"}},
                optional=("accepted",),
            ),
            **errors(400, 401, 403, 405, 408, 413, 415, 429, 503),
        },
    }
}
_HEALTH: Final = reply("Well.", {"status": {"type": "string", "enum": ["ok"]}})


def _probe(name: str, summary: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "tags": ["health"],
            "responses": {"200": _HEALTH, **errors(400, 405, 503)},
        }
    }


DEVICE_PATHS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "/gateway/devices/claim": _CLAIM,
    "/api/devices/claim": _CLAIM,
    "/gateway/device-data/ingest": _INGEST,
    "/api/device-data/ingest": _INGEST,
    **MACHINE_PATHS,
    "/healthz": _probe("healthz", "The process is up."),
    "/readyz": _probe("readyz", "The database takes writes."),
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "summary": "Prometheus' text format; from this machine, or with METRICS_TOKEN as bearer.",
            "tags": ["health"],
            "security": [{"metricsToken": []}, {}],
            "responses": {
                "200": {"description": "Figures", "content": {"text/plain": {"schema": {"type": "string"}}}},
                **errors(400, 401, 405),
            },
        }
    },
}


def complete_schema(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular: what all operations have in common, the device routes, examples."""
    paths = {path.replace("/?", ""): item for path, item in result["paths"].items()}
    for path, _, operation in operations(paths):
        complete(path, operation)
    _add_device_routes(paths)
    for path, method, operation in operations(paths):
        example = EXAMPLES.get(f"{method.upper()} {path.rstrip('/').replace('/gateway/', '/api/')}")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if example is not None:
                content["example"] = example
    result["paths"] = dict(sorted(paths.items()))
    schemes = result.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["deviceKey"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "A device's key, from its claim or its handshake",
    }
    schemes["metricsToken"] = {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN"}
    return result


def _add_device_routes(paths: dict[str, Any]) -> None:
    """Operation ids are made unique by the mount."""
    for path, described in DEVICE_PATHS.items():
        mount = path.split("/")[1]
        place = f"{path}/" if f"{path}/" in paths else path  # people have other methods there
        ours = {
            method: {**operation, "operationId": f"{mount}_{operation['operationId']}"}
            for method, operation in described.items()
        }
        paths[place] = {**paths.get(place, {}), **ours}
