"""Pieces of OpenAPI: for routes that no view describes, and what every operation has in common."""

import re
from typing import Any, Final

OBJECT: Final = {"type": "object", "additionalProperties": True}
_REASONS: Final = {
    400: "Malformed or invalid; `errors` names the fields at fault.",
    401: "The credential is missing or not valid.",
    403: "Not allowed to this caller, or not without TLS.",
    404: "No such thing, or not the caller's.",
    405: "Another method is meant.",
    408: "The body took too long.",
    409: "It clashes with something that is there.",
    412: "If-Match names a state that is past.",
    413: "The body is larger than 256 KiB.",
    415: "Another content type than the route's.",
    429: "A limit.",
    431: "Address and headers have more than 16 KiB in all.",
    503: "Not stored, or not to be read now. Try again.",
}
_HEADERS: Final = {
    405: {"Allow": {"required": True, "schema": {"type": "string"}, "description": "The methods there are."}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "Seconds."}},
}
_HEADERS[503] = _HEADERS[429]
_ALWAYS: Final = (400, 403, 405, 429, 431, 503)
_WITH_A_BODY: Final = (408, 413, 415)
_METHODS: Final = {"get", "post", "put", "patch", "delete"}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def reply(description: str, properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object with these members."""
    schema = {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def errors(*statuses: int, shape: str = "Problem") -> dict[str, Any]:
    """Refusals in the shape of that component, by status."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
    return {
        str(status): {"description": _REASONS[status], "content": content}
        | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
        for status in statuses
    }


def complete(path: str, operation: dict[str, Any]) -> None:
    """Adds to what a view says of itself: a summary, and the refusals that every view of people's may answer."""
    first, _, rest = operation.get("description", "").replace("\n", " ").partition(". ")
    operation.setdefault("summary", first.removesuffix("."))
    operation["description"] = rest
    is_of_stations = re.match("/api/(internal/stations|stations|power-banks)/", path) is not None
    statuses = _ALWAYS + _WITH_A_BODY if "requestBody" in operation else _ALWAYS
    common = errors(*statuses, shape="StationProblem" if is_of_stations else "Problem")
    said = operation["responses"]
    for status, response in said.items():
        if not response.get("description") and int(status) in _REASONS:
            response["description"] = _REASONS[int(status)]
    operation["responses"] = dict(sorted({**common, **said}.items()))
    for status, headers in _HEADERS.items():
        operation["responses"][str(status)]["headers"] = headers


def operations(paths: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation with its path and method."""
    return [
        (path, method, operation)
        for path, item in paths.items()
        for method, operation in item.items()
        if method in _METHODS
    ]
