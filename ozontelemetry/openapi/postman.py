"""A Postman collection (format 2.1) from the OpenAPI: a folder for each tag, a request for each operation."""

import json
from typing import Any, Final

from ozontelemetry.openapi.describe import operations

FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES: Final = {"token": "A person's access token.", "device_token": "A device's key."}
KEPT: Final = {
    "/api/auth/token/": ("token", "data.access_token"),
    "/api/admin/login/": ("token", "data.access_token"),
    "/api/devices/claim": ("device_token", "api_key"),
    "/gateway/devices/claim": ("device_token", "api_key"),
    "/api/handshake": ("device_token", "token"),
}
"""Replies whose secret becomes a variable, so that the next request has it: the variable, and where it stands."""
_NAMES: Final = {
    "name": "esp32-001",
    "device_id": "esp32-001",
    "number": "1",
    "command_id": "<command-id>",
    "serial": "864601069946994",
}
"""What stands in the place of a path's names, and of parameters that must be there."""


def collection(schema: dict[str, Any], *, base_url: str) -> dict[str, Any]:
    """The collection as a JSON object. `base_url`: where the server is, without a slash at the end."""
    folders: dict[str, list[Any]] = {}
    for path, method, operation in operations(schema["paths"]):
        folders.setdefault(operation["tags"][0], []).append(_item(path, method, operation))
    variables = [{"key": "base_url", "value": base_url}]
    variables += [{"key": key, "value": "", "description": words} for key, words in VARIABLES.items()]
    return {
        "info": {
            "name": schema["info"]["title"],
            "description": schema["info"]["description"],
            "version": schema["info"]["version"],
            "schema": FORMAT,
        },
        "item": [{"name": tag, "item": items} for tag, items in sorted(folders.items())],
        "variable": variables,
    }


def _item(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    request: dict[str, Any] = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "auth": _auth(operation.get("security") or [{}]),
        "header": [_value(parameter) for parameter in parameters if parameter["in"] == "header"],
        "url": _url(path, parameters),
    }
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        kind = next(iter(content))
        request["header"].append({"key": "Content-Type", "value": kind})
        request["body"] = _body(kind, content[kind].get("example", {}))
    item = {"name": operation["summary"], "request": request, "response": []}
    if path in KEPT:
        variable, place = KEPT[path]
        line = f'pm.collectionVariables.set("{variable}", pm.response.json().{place});'
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": [line]}}]
    return item


def _auth(security: list[dict[str, Any]]) -> dict[str, Any]:
    """The bearer that opens it. A session is the cookie of the sign-in, which Postman keeps by itself."""
    schemes = {scheme for either in security for scheme in either}
    if "deviceKey" in schemes:
        return _bearer("device_token")
    return _bearer("token") if schemes & {"accessToken", "deviceKeyOrAccessToken"} else {"type": "noauth"}


def _bearer(variable: str) -> dict[str, Any]:
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}


def _url(path: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    steps = path.replace("{", ":").replace("}", "").lstrip("/").split("/")
    query = [_value(parameter) for parameter in parameters if parameter["in"] == "query"]
    sent = "&".join(f"{one['key']}={one['value']}" for one in query if not one.get("disabled"))
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
    return {
        "raw": "{{base_url}}/" + "/".join(steps) + (f"?{sent}" if sent else ""),
        "host": ["{{base_url}}"],
        "path": steps,
        "query": query,
        "variable": [{"key": name, "value": _NAMES.get(name, "")} for name in names],
    }


def _value(parameter: dict[str, Any]) -> dict[str, Any]:
    """A query parameter or header; one that may be left out is there to be ticked."""
    shown = {"key": parameter["name"], "value": "", "description": parameter.get("description", "")}
    if parameter.get("required"):
        return {**shown, "value": _NAMES.get(parameter["name"], "")}
    return {**shown, "disabled": True}


def _body(kind: str, example: Any) -> dict[str, Any]:
    if kind == "application/json":
        text = json.dumps(example, indent=2, ensure_ascii=False)
        return {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}
    return {"mode": "urlencoded", "urlencoded": [{"key": key, "value": str(value)} for key, value in example.items()]}
